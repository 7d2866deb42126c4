//! Shard's control plane → its gateway: the table of sites to serve.

use std::path::PathBuf;

use aipress_types::TenantUid;
use aipress_types::Tier;
use serde::Deserialize;
use serde::Serialize;

/// What the gateway does with a request for a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SiteState {
    /// Serves it.
    Serving,
    /// Answers with the page of a suspended site.
    Suspended,
    /// Answers with the page of a site that is being made.
    Starting,
}

/// One site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SiteEntry {
    /// The tenant.
    pub uid: TenantUid,
    /// Its name, for logs.
    pub name: String,
    /// Its hosts, without port.
    pub hosts: Vec<String>,
    /// Its tier.
    pub tier: Tier,
    /// What to do.
    pub state: SiteState,
    /// Slot, 1-based.
    pub slot: u32,
    /// Core that serves it.
    pub core_dir: PathBuf,
    /// Its own files.
    pub site_dir: PathBuf,
    /// The slot's folder.
    pub slot_dir: PathBuf,
    /// What runs inside WordPress.
    pub php_dir: PathBuf,
    /// The pool's socket.
    pub fpm_socket: PathBuf,
    /// PHP workers at once.
    pub max_workers: u32,
    /// PHP workers kept warm.
    pub min_workers: u32,
    /// PHP settings that the site's code may change at run time.
    #[serde(default)]
    pub php_values: Vec<(String, String)>,
    /// PHP settings that it may not.
    #[serde(default)]
    pub php_admin_values: Vec<(String, String)>,
    /// Whether PHP below `wp-content/uploads` is run.
    #[serde(default)]
    pub php_in_uploads: bool,
}

/// Answer of `GET /v1/sites?after=SEQ&waitMs=MS` of a shard's control plane: always the whole
/// table (50 sites at most).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SiteChanges {
    /// Number of this table; pass it as `after` next.
    pub seq: u64,
    /// All sites.
    pub sites: Vec<SiteEntry>,
}
