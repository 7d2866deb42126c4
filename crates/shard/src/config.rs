//! What a shard's control plane is told when it starts. The binary fills it in; nothing here
//! reads arguments or the environment.

use std::path::PathBuf;

use aipress_drivers::ShardPaths;
use aipress_kit::http::Endpoint;
use aipress_types::ShardId;
use aipress_types::tier::TierLimits;

use crate::mail::MailSettings;

/// Settings of one shard's control plane.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// Which shard this is.
    pub id: ShardId,
    /// Region that it is in.
    pub region: String,
    /// Slots that it has.
    pub slots: u32,
    /// Where its things are.
    pub paths: ShardPaths,
    /// Limits in place of the tiers'.
    pub limits: LimitOverrides,
    /// What runs inside WordPress.
    pub php_dir: PathBuf,
    /// Where the sites' mail goes.
    pub mail: MailSettings,
    /// Whether commands of people run in wp-cli; else in the platform's own agent.
    pub has_wp_cli: bool,
    /// Meta's internal API.
    pub meta: Endpoint,
    /// This role's proof towards meta.
    pub role_token: String,
    /// URL of this control plane, as meta should call it.
    pub control_url: String,
    /// URL of this shard's gateway, as edges should call it.
    pub gateway_url: String,
    /// Unix users that may call this control plane besides its own and root: meta's and the
    /// gateway's. The kernel says who calls (`SO_PEERCRED`).
    pub callers: Vec<u32>,
}

/// Limits that hold for all sites of a platform in place of their tiers'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitOverrides {
    /// Files, in bytes.
    pub storage_bytes: Option<u64>,
    /// Database, in bytes.
    pub database_bytes: Option<u64>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// CPU, in thousandths of a core.
    pub cpu_millis: Option<u32>,
}

impl LimitOverrides {
    /// What holds for a site whose tier has these.
    pub fn over(&self, tier: TierLimits) -> TierLimits {
        TierLimits {
            storage_bytes: self.storage_bytes.unwrap_or(tier.storage_bytes),
            database_bytes: self.database_bytes.unwrap_or(tier.database_bytes),
            memory_bytes: self.memory_bytes.unwrap_or(tier.memory_bytes),
            cpu_millis: self.cpu_millis.unwrap_or(tier.cpu_millis),
            ..tier
        }
    }
}
