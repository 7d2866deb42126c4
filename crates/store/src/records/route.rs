//! Routes: which host is which tenant on which shard. Every change gets a number of one global
//! sequence, so that an edge can ask for what changed after the number that it has.

use aipress_types::ShardId;
use aipress_types::TenantName;
use aipress_types::TenantUid;
use time::OffsetDateTime;

/// What an edge does with a request for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteState {
    /// Passes it to the shard.
    Serving,
    /// Says that the site is suspended.
    Suspended,
    /// Says that the site is being made.
    Starting,
    /// Says that the site is broken.
    Broken,
    /// Knows the host no more: a tombstone.
    Deleted,
}

/// A route to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePut {
    /// Host name, lower case, without port.
    pub host: String,
    /// The tenant.
    pub tenant: TenantUid,
    /// The shard that serves it.
    pub shard: ShardId,
    /// What to do; [`RouteState::Deleted`] leaves a tombstone.
    pub state: RouteState,
    /// The tenant's generation that this follows from.
    pub generation: u64,
    /// When.
    pub now: OffsetDateTime,
}

/// A route, with what an edge needs of its tenant and its shard. A change of those counts as a
/// change of the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRecord {
    /// Host name.
    pub host: String,
    /// The tenant.
    pub tenant: TenantUid,
    /// The tenant's name.
    pub tenant_name: TenantName,
    /// The tenant's placement epoch.
    pub placement_epoch: u64,
    /// The shard that serves it.
    pub shard: ShardId,
    /// URL of that shard's gateway.
    pub gateway: String,
    /// What to do.
    pub state: RouteState,
    /// The tenant's generation that this follows from.
    pub generation: u64,
    /// Number of its last change.
    pub seq: u64,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}

/// Every route at one instant, without tombstones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSnapshot {
    /// Number of the last change that is in it.
    pub seq: u64,
    /// The routes, by host.
    pub routes: Vec<RouteRecord>,
}

/// What an edge that has everything up to some number gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteChanges {
    /// What changed since, oldest first, tombstones among it (one row a host: its last state).
    Changes {
        /// Number of the last change in the registry.
        latest: u64,
        /// The changed routes; when there are more than the limit, ask again after the last.
        routes: Vec<RouteRecord>,
    },
    /// The number is older than the oldest tombstone, or from a registry that was since restored
    /// from a backup: take a snapshot.
    Resync,
}
