//! Shard ↔ meta: intents pulled, reality reported.

use aipress_types::ShardHealth;
use aipress_types::TenantIntent;
use aipress_types::TenantObserved;
use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;

use crate::internal::mail::MailNews;
use crate::internal::mail::MailTallies;

/// Answer of `GET /internal/v1/shards/{id}/intents`: every tenant of the shard, so that what is
/// not in it is not wanted there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IntentList {
    /// All of them.
    pub intents: Vec<TenantIntent>,
}

/// What a shard posts to `/internal/v1/shards/{id}/report`, at start, every few seconds, and at
/// once when a tenant's observed state changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardReport {
    /// How it is doing.
    pub health: ShardHealth,
    /// What is wrong, where something is.
    pub message: Option<String>,
    /// Region that it is in.
    pub region: String,
    /// Slots that it has.
    pub slots: u32,
    /// URL of its control plane.
    pub control: String,
    /// URL of its gateway.
    pub gateway: String,
    /// Tenants whose observed state is news; all of them at start.
    pub tenants: Vec<TenantObserved>,
    /// What happened to the sites' mail: again until meta has answered.
    #[serde(default)]
    pub mail_news: Vec<MailNews>,
    /// What is counted.
    #[serde(default)]
    pub tallies: ShardTallies,
}

/// What a shard counts since its control plane began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShardTallies {
    /// Scheduled events.
    pub cron: CronTallies,
    /// Mail.
    pub mail: MailTallies,
}

/// Sites woken for their scheduled events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CronTallies {
    /// How often a site was woken.
    pub wakes: u64,
    /// How often what was to be done failed, or did not end.
    pub failures: u64,
    /// Runs that go on now.
    pub running: u64,
}

/// What meta answers: which of its tenants the shard should ask for again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportAnswer {
    /// Tenants reported in a generation or placement that is not the registry's.
    pub stale: Vec<TenantUid>,
}
