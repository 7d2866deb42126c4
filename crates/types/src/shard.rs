//! What the platform knows of a shard: its health and its schedulability are two fields.

use serde::Deserialize;
use serde::Serialize;

use crate::ids::ShardId;

/// How a shard is doing, as it reports (or does not).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShardHealth {
    /// Every part answers.
    Healthy,
    /// Sites are served, but a part is failing (say Redis).
    Degraded,
    /// Sites are not served.
    Unhealthy,
    /// Has not reported lately, or never.
    Unknown,
}

/// Whether a shard takes new tenants, as an operator decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShardSchedulability {
    /// Takes new tenants.
    Open,
    /// Keeps what it has, takes nobody new.
    Cordoned,
    /// Is being emptied.
    Draining,
    /// Empty, and stays so.
    Retired,
}

impl ShardHealth {
    /// The word on the wire and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

impl ShardSchedulability {
    /// The word on the wire and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Retired => "retired",
        }
    }
}

/// What placement needs to know of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardFacts {
    /// The shard.
    pub id: ShardId,
    /// Region that it is in.
    pub region: String,
    /// Its health.
    pub health: ShardHealth,
    /// Whether it takes new tenants.
    pub schedulability: ShardSchedulability,
    /// Slots that it has.
    pub slots: u32,
    /// Slots that are taken (a deleted tenant's is free).
    pub taken: u32,
}
