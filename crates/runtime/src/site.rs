//! What the runtime knows of one site: where its files are, which pool runs its PHP, whether it
//! may be served. No secret is in here: credentials come from a file of the slot, read by PHP.

use std::{path::PathBuf, sync::Arc};

use crate::config::DEFAULT_MAX_BODY_BYTES;

/// Whether a site is served, and if not, what its visitors are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteState {
    /// Files and PHP are served.
    Serving,
    /// The customer or the platform paused the site.
    Suspended,
    /// The site is being made, moved or restored.
    Starting,
    /// The shard knows that the site cannot work; the reason is for the log, never for visitors.
    Broken(String),
}

/// One site of the shard (or the only one of a container).
#[derive(Debug, Clone)]
pub struct Site {
    /// The tenant's uid as the edge sends it in `Aipress-Tenant`.
    pub uid: Arc<str>,
    /// The tenant's name, for logs.
    pub name: Arc<str>,
    /// The slot's number, for logs.
    pub slot: u16,
    /// Hosts that the site answers to; case and a port are ignored.
    pub hosts: Vec<String>,
    /// The site's own folder; `wp-content` and `well-known` beneath it are public.
    pub site_dir: PathBuf,
    /// WordPress core of the site's version: `DOCUMENT_ROOT`, shared and read-only.
    pub core_dir: PathBuf,
    /// The slot's folder, handed to PHP as `AIPRESS_SLOT_DIR`.
    pub slot_dir: PathBuf,
    /// What the platform runs inside WordPress, handed to PHP as `AIPRESS_PHP_DIR`; the static files of `mu-plugins` beneath it are
    /// served. Without it they are not.
    pub php_dir: Option<PathBuf>,
    /// The Unix socket of the slot's pool.
    pub fpm_socket: PathBuf,
    /// The Unix user of the slot. A file beneath `site_dir` of any other user is refused: it is a
    /// hard link to somebody else's.
    pub owner_uid: u32,
    /// Whether the site is served.
    pub state: SiteState,
    /// How many requests of the site may be in PHP at the same time.
    pub max_workers: usize,
    /// PHP settings that a script may change (`PHP_VALUE`).
    pub php_values: Vec<(String, String)>,
    /// PHP settings that a script may not change (`PHP_ADMIN_VALUE`). They stick to a worker, so
    /// the slot's workers are recycled when they change.
    pub php_admin_values: Vec<(String, String)>,
    /// Whether a script below `wp-content/uploads` is run ([`crate::decide`]).
    pub runs_uploads: bool,
    /// Further parameters of every request, which the site's PHP finds in `$_SERVER`. No visitor can
    /// send any: what he sends arrives as `HTTP_…`.
    pub told: Vec<(&'static str, String)>,
    /// The largest request body in bytes.
    pub max_body_bytes: u64,
}

impl Site {
    /// A serving site without hosts, with the defaults of the platform.
    pub fn new(uid: &str, name: &str, slot: u16) -> Self {
        Self {
            uid: uid.into(),
            name: name.into(),
            slot,
            hosts: Vec::new(),
            site_dir: PathBuf::new(),
            core_dir: PathBuf::new(),
            slot_dir: PathBuf::new(),
            php_dir: None,
            fpm_socket: PathBuf::new(),
            owner_uid: 0,
            state: SiteState::Serving,
            max_workers: 8,
            php_values: Vec::new(),
            php_admin_values: Vec::new(),
            runs_uploads: false,
            told: Vec::new(),
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
        }
    }
}
