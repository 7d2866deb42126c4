//! What meta asks a shard to do with a site's mail, and what a shard tells of it.

use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MailVerb {
    /// Send it again, now.
    Retry,
    /// Remove it.
    Delete,
}

/// `POST /v1/tenants/{uid}/mail` of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailChange {
    /// What to do.
    pub verb: MailVerb,
    /// With which.
    pub ids: Vec<String>,
    /// With all, in place of `ids`.
    pub all: bool,
    /// Whether only to say what would be done.
    pub is_rehearsal: bool,
}

/// What a site's people want to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailNews {
    /// The site.
    pub uid: TenantUid,
    /// What happened.
    pub kind: MailNewsKind,
    /// The mail, where it is about one.
    pub mail: Option<String>,
    /// Whom it did not reach, five of them.
    pub to: Vec<String>,
    /// In words: the mail server's, or the limit.
    pub message: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MailNewsKind {
    /// A mail came back, or was given up.
    Bounced,
    /// The site has met its limit, and mail is refused.
    Limited,
}

/// Messages of all sites of a shard since its control plane began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MailTallies {
    /// Taken from sites.
    pub taken: u64,
    /// Refused to sites.
    pub refused: u64,
    /// The mail server has them.
    pub sent: u64,
    /// Came back.
    pub bounced: u64,
    /// Tries that ended with another one to come.
    pub delayed: u64,
    /// Waiting now.
    pub waiting: u64,
}
