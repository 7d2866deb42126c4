//! Plans: what changes would do, found out without doing them; applied by the hash of their
//! content while the state that they were made from holds.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

/// What `POST /v1/plans` takes: one change as it would be sent, or documents as they would be put.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanCreate {
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path of the change, such as `/v1/tenants/bakery/suspend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its body; none when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
    /// Tenant documents, at most 100; instead of the three above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub documents: Vec<Value>,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// SHA-256 over its content, in hex: its name. The same content has the same hash.
    pub hash: String,
    /// Whether applying it would change nothing, as far as anybody can say: a command that is run
    /// may change anything in its site.
    pub changes_nothing: bool,
    /// The changes, in the order in which they would be made.
    pub items: Vec<PlanItem>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Until when it can be applied.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// One change of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanItem {
    /// Method of the request that makes it.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its body; `null` for none.
    #[schema(value_type = Value)]
    pub body: Value,
    /// What it is about, such as `tenant bakery`.
    pub subject: String,
    /// What it does, such as `tenant.update`.
    pub action: String,
    /// The same in a sentence.
    pub summary: String,
    /// What is done, in order.
    pub steps: Vec<String>,
    /// Every field that changes.
    pub changes: Vec<PlanChange>,
    /// What visitors or owners may notice.
    pub may_break: Vec<String>,
    /// How it is undone, or that it can't be.
    pub undo: String,
    /// What would be run in a site, where, and within which limits; left out when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<PlanRun>,
    /// What of the request the plan does not keep, such as an archive. A plan with such an item can't
    /// be applied by its hash: the request itself is sent again. Left out when all is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<String>,
    /// Etag of what it is about, as it was when the plan was made; not a part of the hash. Left out
    /// for what has none, or is not there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The state that it was made from; when it is another, the plan is stale. `null` when it was
    /// made from none.
    #[schema(value_type = Option<Object>, required = true)]
    pub made_from: Value,
}

/// A command that would be run in a site's sandbox. What it changes is known only once it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanRun {
    /// The command; values of options that sound like a secret are left out.
    pub command: Vec<String>,
    /// `wp-cli`, or `agent` for the platform's own.
    pub program: String,
    /// The shard that runs it.
    pub shard: String,
    /// The slot whose sandbox it runs in.
    pub slot: u32,
    /// The Unix user that it runs as; left out where all sites share one (a platform without root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// Whether it sees its own processes and the site's own files only (namespaces of Linux).
    pub is_namespaced: bool,
    /// When it is ended with everything that it started, in seconds.
    pub time_limit_seconds: u64,
    /// Memory of a process of it, in bytes.
    pub memory_bytes: u64,
    /// Largest file that it can write, in bytes.
    pub file_bytes: u64,
    /// Processes of the site at once, its PHP workers among them; left out where nothing bounds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

/// A field that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanChange {
    /// JSON pointer (RFC 6901) into what it is about, such as `/spec/tier`.
    pub pointer: String,
    /// What it is; left out when it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub before: Option<Value>,
    /// What it becomes; left out when it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub after: Option<Value>,
}

/// What became of a plan that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanApplied {
    /// The plan.
    pub hash: String,
    /// Whether every change was made. The first one that is refused is the last of `results`.
    pub complete: bool,
    /// The answers to its changes, in order.
    pub results: Vec<PlanResult>,
}

/// The answer to one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanResult {
    /// HTTP status.
    pub status: u16,
    /// Body: what the change itself answers, or a problem. Of a command, a list of the lines that it
    /// answers, the last 256 KiB of its output at most.
    #[schema(value_type = Value)]
    pub body: Value,
}
