//! Health on the wire.

use serde::Deserialize;
use serde::Serialize;

/// Answer of `GET /v1/health`; open to all, so it says little.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// `ok`, or `damaged` when the registry must be brought back from a copy.
    pub status: String,
    /// Version of the platform.
    pub version: String,
    /// Shards that are healthy.
    pub healthy_shards: u32,
    /// Shards in the federation.
    pub shards: u32,
}
