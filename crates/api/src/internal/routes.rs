//! Meta → edge: the route table, as a snapshot and then as changes in a numbered log.

use aipress_types::ShardId;
use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;

/// What an edge does with a request for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteState {
    /// Sends it to the shard.
    Serving,
    /// Answers with the page of a suspended site.
    Suspended,
    /// Answers with the page of a site that is being made.
    Starting,
    /// Answers with the page of a broken site.
    Broken,
    /// Forgets the host (a tombstone in the log of changes).
    Gone,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteEntry {
    /// Host name without port, lower case.
    pub host: String,
    /// The tenant.
    pub tenant: TenantUid,
    /// Its name, for logs and pages.
    pub name: String,
    /// The shard that holds it.
    pub shard: ShardId,
    /// URL of that shard's gateway.
    pub upstream: String,
    /// What to do.
    pub state: RouteState,
    /// The tenant's placement that this route is of.
    pub placement_epoch: u64,
}

/// Answer of `GET /internal/v1/routes?after=SEQ&waitMs=MS`: waits until something is newer than
/// `after`, at most so long. Without `after`, or when it is not of this log, a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteChanges {
    /// Number of the last change in here; pass it as `after` next.
    pub seq: u64,
    /// Whether `routes` is the whole table (what is not in it is gone) or only changes.
    pub snapshot: bool,
    /// The routes, oldest change first.
    pub routes: Vec<RouteEntry>,
}
