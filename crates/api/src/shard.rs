//! Shards on the wire.

use aipress_types::ShardHealth;
use aipress_types::ShardSchedulability;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// A shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShardView {
    /// Such as `aipress-shard-001`.
    pub id: String,
    /// The project that it lives in.
    pub project: String,
    /// Its region.
    pub region: String,
    /// How it is doing.
    pub health: ShardHealth,
    /// Whether it takes new tenants.
    pub schedulability: ShardSchedulability,
    /// Slots that it has.
    pub slots: u32,
    /// Slots that are taken.
    pub taken: u32,
    /// What is wrong, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it reported last.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub reported_at: Option<OffsetDateTime>,
}

/// What `PATCH /v1/shards/{id}` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardPatch {
    /// Whether it takes new tenants.
    pub schedulability: ShardSchedulability,
}
