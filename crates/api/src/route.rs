//! Where a tenant lives, on the wire.

use serde::Deserialize;
use serde::Serialize;

/// Answer of `GET /v1/tenants/{id}/route`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteView {
    /// The tenant's name.
    pub name: String,
    /// The shard that holds it, as the registry says (the truth).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Where the walk started: the home shard in the federation's current size.
    pub home: String,
    /// Shards in the federation.
    pub federation_size: u32,
    /// Counts placements.
    pub placement_epoch: u64,
    /// Hosts that lead to it.
    pub hosts: Vec<String>,
    /// `serving`, `suspended`, `starting`, `broken` or `gone`.
    pub state: String,
}
