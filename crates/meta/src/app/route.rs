//! Routes on the wire: for edges, and for people who ask where a site lives.

use aipress_api::RouteView;
use aipress_api::internal::RouteEntry;
use aipress_api::internal::RouteState as WireState;
use aipress_store::RouteRecord;
use aipress_store::RouteState;
use aipress_store::TenantRecord;
use aipress_types::placement::home_shard;

use crate::change::route_state;
use crate::plane::Plane;

/// A route as edges get it.
pub(crate) fn entry(route: RouteRecord) -> RouteEntry {
    RouteEntry {
        host: route.host,
        tenant: route.tenant,
        name: route.tenant_name.to_string(),
        shard: route.shard,
        upstream: route.gateway,
        state: match route.state {
            RouteState::Serving => WireState::Serving,
            RouteState::Suspended => WireState::Suspended,
            RouteState::Starting => WireState::Starting,
            RouteState::Broken => WireState::Broken,
            RouteState::Deleted => WireState::Gone,
        },
        placement_epoch: route.placement_epoch,
    }
}

/// Where a tenant lives, for people.
pub(crate) fn view(plane: &Plane, tenant: &TenantRecord) -> RouteView {
    let name = tenant.name.as_str();
    let size = plane.federation.shards;
    RouteView {
        name: name.to_owned(),
        shard: tenant.shard.map(|shard| shard.to_string()),
        home: home_shard(name, size).map(|shard| shard.to_string()).unwrap_or_default(),
        federation_size: size,
        placement_epoch: tenant.placement_epoch,
        hosts: vec![plane.sites.host(name)],
        state: match route_state(tenant) {
            RouteState::Serving => "serving",
            RouteState::Suspended => "suspended",
            RouteState::Starting => "starting",
            RouteState::Broken => "broken",
            RouteState::Deleted => "gone",
        }
        .to_owned(),
    }
}
