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
    /// Messages since the site was made.
    #[serde(default)]
    pub totals: MailTotalsView,
}

/// How many messages became what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MailTotalsView {
    /// The platform took them.
    pub taken: u64,
    /// The mail server has them.
    pub sent: u64,
    /// They came back, each time that they were sent.
    pub bounced: u64,
    /// The platform refused them: a limit was met, or they were no mail.
    pub refused: u64,
}

/// Which of a site's mail: `ids`, or `all`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailSelection {
    /// These, 1,000 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// All that it can be done with.
    #[serde(default)]
    pub all: bool,
}

/// What was done with a site's mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailChangedView {
    /// Ids of those that it was done with.
    pub items: Vec<String>,
    /// Those that it was not done with.
    pub skipped: Vec<MailSkippedView>,
}

/// A mail that was left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailSkippedView {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: MailSkipReason,
}

/// Why a mail was left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum MailSkipReason {
    /// There is no such mail.
    Unknown,
    /// It was sent, and its text is no longer kept.
    Sent,
}

impl MailSkipReason {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "there is no such mail",
            Self::Sent => "it was sent, and its text is no longer kept",
        }
    }
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
