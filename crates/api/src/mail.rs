//! Mail that sites send: `GET /v1/tenants/{id}/mail`.

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailState {
    /// It waits to be sent, for the first time or again.
    Queued,
    /// The mail server has it.
    Sent,
    /// It can't be delivered.
    Bounced,
    /// It stays here, for no mail server is set.
    Kept,
}

impl MailState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Bounced => "bounced",
            Self::Kept => "kept",
        }
    }
}

/// A site's mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailListView {
    /// The newest first, at most 1,000.
    pub items: Vec<MailView>,
    /// Recipients in the last hour, and how many the site's tier allows.
    pub last_hour: MailUseView,
    /// Recipients in the last day, likewise.
    pub last_day: MailUseView,
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailUseView {
    /// Used.
    pub used: u32,
    /// Allowed.
    pub limit: u32,
}

/// A message that a site sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailView {
    /// Its id; later ones sort after earlier ones.
    pub id: String,
    /// Where it is.
    pub state: MailState,
    /// When the site sent it.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The address that its bounces go to, which names the site.
    pub envelope_from: String,
    /// From whom it says that it is.
    pub from: String,
    /// What it is about.
    pub subject: String,
    /// Its size.
    pub bytes: u64,
    /// For whom it is, and what became of each.
    pub recipients: Vec<MailRecipientView>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, while it is queued.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub next_attempt_at: Option<OffsetDateTime>,
    /// What the mail server said last, or why it was not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// The message with its headers, as text; only when one is asked for, and while it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailRecipientView {
    /// The address.
    pub address: String,
    /// What became of it.
    pub state: MailState,
    /// What the mail server said to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}
