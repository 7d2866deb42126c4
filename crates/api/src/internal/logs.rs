//! Meta → shard: lines of a tenant's log. Edge → gateway: requests that it did not send there.

use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;

use crate::log::LogLine;
use crate::log::LogRequest;
use crate::log::LogSource;
use crate::log::Severity;

/// The header of a request by which an edge hands lines to a gateway; visitors' own are removed.
pub const EDGE_LINES_HEADER: &str = "aipress-edge-lines";

/// Query of `GET /v1/tenants/{uid}/logs` of a shard's control plane. Times are microseconds since
/// 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogsAsked {
    /// Of these sources; of all when empty.
    #[serde(default)]
    pub sources: Vec<LogSource>,
    /// Not before.
    #[serde(default)]
    pub since: Option<u64>,
    /// Before.
    #[serde(default)]
    pub until: Option<u64>,
    /// As bad as this, or worse.
    #[serde(default)]
    pub level: Option<Severity>,
    /// With this text.
    #[serde(default)]
    pub contains: Option<String>,
    /// The oldest first; else the newest.
    #[serde(default)]
    pub oldest_first: bool,
    /// Behind this line in that order.
    #[serde(default)]
    pub after: Option<String>,
    /// Lines at most.
    pub limit: u32,
    /// How long to wait for a line when there is none.
    #[serde(default)]
    pub wait_ms: u64,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogsFound {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// The last line that was looked at: go on behind it.
    #[serde(default)]
    pub last: Option<String>,
    /// Whether there may be more.
    #[serde(default)]
    pub is_more: bool,
}

/// Requests that an edge answered by itself, for the tenants' logs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeLines {
    /// The lines.
    pub lines: Vec<EdgeLine>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeLine {
    /// The tenant.
    pub tenant: TenantUid,
    /// How bad it is.
    pub severity: Severity,
    /// What it says.
    pub message: String,
    /// The request's id.
    pub request_id: String,
    /// Lines of this tenant that are missing before it.
    #[serde(default)]
    pub dropped: u64,
    /// The request.
    pub request: LogRequest,
}
