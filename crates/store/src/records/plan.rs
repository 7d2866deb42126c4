//! Plans: what a change would do, identified by the hash of its content.

use aipress_types::AccountId;
use serde_json::Value;
use time::OffsetDateTime;

/// A plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRecord {
    /// Hash of the content; writing the same plan twice keeps the first, to the later expiry.
    pub id: String,
    /// The account that it concerns.
    pub account: Option<AccountId>,
    /// Who asked for it.
    pub actor: String,
    /// What it would do.
    pub body: Value,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Until when it may be executed.
    pub expires_at: OffsetDateTime,
}
