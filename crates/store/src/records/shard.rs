//! Shards and the projects that they live in. Health is what a shard last said; whether that is
//! too old to be believed is for the reader, who has a clock.

use aipress_types::ProjectId;
use aipress_types::ShardFacts;
use aipress_types::ShardHealth;
use aipress_types::ShardId;
use aipress_types::ShardSchedulability;
use serde_json::Value;
use time::OffsetDateTime;

/// A cloud project (on one machine: a directory).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRecord {
    /// Its id.
    pub id: ProjectId,
    /// What it is for: `control`, `shared` or `shard`.
    pub kind: String,
    /// Region that it is in, where it is in one.
    pub region: Option<String>,
    /// When it was registered.
    pub created_at: OffsetDateTime,
}

/// What a shard registers as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardUpsert {
    /// The shard.
    pub id: ShardId,
    /// Its project; must exist.
    pub project: ProjectId,
    /// Region that it is in.
    pub region: String,
    /// URL of its control plane (`unix:` or `https:`).
    pub address: String,
    /// URL of its gateway (`unix:` or `https:`), which edges send visitors to.
    pub gateway: String,
    /// Slots that it has.
    pub slots: u32,
    /// Version of the protocol that it speaks.
    pub protocol: u32,
    /// When.
    pub now: OffsetDateTime,
}

/// What a shard says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardReport {
    /// The shard.
    pub id: ShardId,
    /// How it is doing.
    pub health: ShardHealth,
    /// Why, for people.
    pub message: Option<String>,
    /// Details of its parts.
    pub details: Value,
    /// When it said so.
    pub at: OffsetDateTime,
}

/// A shard.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardRecord {
    /// The shard.
    pub id: ShardId,
    /// Its project.
    pub project: ProjectId,
    /// Region that it is in.
    pub region: String,
    /// URL of its control plane.
    pub address: String,
    /// URL of its gateway.
    pub gateway: String,
    /// Slots that it has.
    pub slots: u32,
    /// Slots that are taken.
    pub taken: u32,
    /// Version of the protocol that it speaks.
    pub protocol: u32,
    /// How it said it was doing; unknown until it reports.
    pub health: ShardHealth,
    /// Whether it takes new tenants.
    pub schedulability: ShardSchedulability,
    /// Why it is not well, for people.
    pub message: Option<String>,
    /// Details of its parts; `null` until it reports.
    pub details: Value,
    /// When it last reported.
    pub reported_at: Option<OffsetDateTime>,
    /// When it registered first.
    pub registered_at: OffsetDateTime,
    /// When its row last changed, reports aside.
    pub updated_at: OffsetDateTime,
}

/// What placement needs of one shard, with the age of what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardStanding {
    /// The facts; `health` is as last reported, however long ago.
    pub facts: ShardFacts,
    /// When it last reported.
    pub reported_at: Option<OffsetDateTime>,
}
