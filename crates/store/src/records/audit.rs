//! The audit log: who did what to what, with the state before and after. Rows are only appended;
//! erasing a tenant replaces its `before` and `after` by their SHA-256.

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
}

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
    /// Only at or after this.
    pub since: Option<OffsetDateTime>,
    /// Only before this.
    pub until: Option<OffsetDateTime>,
}

/// Position in the audit log, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCursor {
    /// Number of the last row seen.
    pub id: u64,
}
