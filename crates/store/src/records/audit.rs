//! The audit log: who did what to what, with the state before and after. Rows are only appended;
//! erasing a tenant removes the payload of its rows (name, before, after, reason), whose hash stays.
//! Rows are chained ([ADR 0017](../../../../docs/adr/0017-audit-chains.md)).

use aipress_types::AccountId;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

/// A row to append, in the transaction of the change that it tells of.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditInsert {
    /// When.
    pub at: OffsetDateTime,
    /// Who, such as `user:<uuid>` or `role:meta`.
    pub actor: String,
    /// On whose behalf, where that is somebody else.
    pub on_behalf_of: Option<String>,
    /// What was done, such as `tenant.create`.
    pub action: String,
    /// Kind of what it was done to, such as `tenant`.
    pub resource_kind: String,
    /// Id of what it was done to.
    pub resource_id: String,
    /// Name of what it was done to, for people.
    pub resource_name: Option<String>,
    /// The account that it concerns.
    pub account: Option<AccountId>,
    /// The request that it came with.
    pub request_id: Option<String>,
    /// Hash of the plan that it was applied from.
    pub plan: Option<String>,
    /// How it was; no secrets.
    pub before: Option<Value>,
    /// How it is; no secrets.
    pub after: Option<Value>,
    /// Why, as the actor or policy said.
    pub reason: Option<String>,
    /// `allowed`, `denied`, `failed` …
    pub outcome: String,
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its number; counts upwards.
    pub id: u64,
    /// What it tells.
    pub entry: AuditInsert,
    /// Its place in its chain, from 1.
    pub seq: u64,
    /// Random bytes in front of the payload when it is hashed; `None` once it is erased.
    pub salt: Option<Vec<u8>>,
    /// SHA-256 of the salted payload.
    pub payload_sha256: Vec<u8>,
    /// SHA-256 over the link before, the columns and `payload_sha256`.
    pub link: Vec<u8>,
}

/// One end of one chain, or what was known of a place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// The account's id, or [`PLATFORM_CHAIN`].
    pub chain: String,
    /// Place of the row.
    pub seq: u64,
    /// Its link.
    pub link: [u8; 32],
}

/// The chain of rows that concern no account.
pub const PLATFORM_CHAIN: &str = "platform";

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditFault {
    /// The row is not as it was written, or the one before it is not.
    Changed,
    /// Rows from here on, up to the next one that is there, are gone.
    Missing,
    /// A row that no change has written.
    Added,
    /// Rows at the end of the chain are gone.
    CutOff,
    /// The row fits its chain, but it is another one than a checkpoint was signed for.
    Rewritten,
    /// The payload is gone, and what it tells of was never erased.
    Erased,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFinding {
    /// In which chain.
    pub chain: String,
    /// At which place; the first one of those that are gone.
    pub seq: u64,
    /// Up to which place, where that is another one.
    pub until: u64,
    /// Number of the row, where there is one.
    pub id: Option<u64>,
    /// What it is.
    pub fault: AuditFault,
}

/// What a look at all rows found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditVerification {
    /// The ends of the chains as they are.
    pub heads: Vec<AuditHead>,
    /// Rows looked at.
    pub rows: u64,
    /// Rows whose payload was rightly erased.
    pub erased: u64,
    /// Places that were compared with what was known of them.
    pub anchors: u64,
    /// What is wrong, the first [`AUDIT_FINDINGS_MAX`] of it.
    pub findings: Vec<AuditFinding>,
    /// How much is wrong in all.
    pub faults: u64,
}

/// Most findings that are told one by one.
pub const AUDIT_FINDINGS_MAX: usize = 100;

/// Which rows are wanted; every field that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Only these accounts; `None` for all, and rows without an account only then.
    pub accounts: Option<Vec<AccountId>>,
    /// Only this kind of resource.
    pub resource_kind: Option<String>,
    /// Only this resource (a tenant's uid).
    pub resource_id: Option<String>,
    /// Only this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only of this request.
    pub request_id: Option<String>,
    /// Only rows with this text in name, before, after or reason; capitals of ASCII do not matter.
    /// The newest [`AUDIT_SEARCHED`] rows that fit the rest are looked through for a page, which
    /// may so have fewer rows than asked for, or none, and a next one.
    pub text: Option<String>,
    /// Only at or after this.
    pub since: Option<OffsetDateTime>,
    /// Only before this.
    pub until: Option<OffsetDateTime>,
}

/// Rows that are looked through for a text, for one page.
pub const AUDIT_SEARCHED: u32 = 50_000;

/// Position in the audit log, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCursor {
    /// Number of the last row seen.
    pub id: u64,
}
