//! What a shard's control plane is told when it starts. The binary fills it in; nothing here
//! reads arguments or the environment.

use std::path::PathBuf;

use aipress_drivers::ShardPaths;
use aipress_kit::http::Endpoint;
use aipress_types::ShardId;

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
