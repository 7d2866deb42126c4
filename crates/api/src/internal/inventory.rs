//! Shard → doctor: all that exists, beside the tenant that explains it.

use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;

/// One thing that exists on a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryItem {
    /// `database`, `user`, `grant`, `acl`, `folder`, `socket`, `slot`, `process`, `route`.
    pub kind: String,
    /// Its own name.
    pub name: String,
    /// The tenant that it is of.
    pub tenant: Option<TenantUid>,
    /// What explains it when no tenant does, such as `platform`.
    pub explained_by: Option<String>,
    /// Why it is an error, when it is one: no row explains it, or it is missing.
    pub problem: Option<String>,
}

/// Answer of `GET /v1/inventory` of a shard's control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardInventory {
    /// The shard.
    pub shard: String,
    /// Everything.
    pub items: Vec<InventoryItem>,
}
