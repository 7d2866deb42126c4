//! The bounds of the runtime: sizes in bytes, waits, queue lengths. Every one has a default.

use std::{path::PathBuf, time::Duration};

/// Bytes of an answer that are held back until PHP has proved to live (`architecture.md`).
pub const HELD_BACK_BYTES: usize = 1024 * 1024;

/// The largest request body that a site takes unless it says otherwise (`facts.md`: 100 MB).
pub const DEFAULT_MAX_BODY_BYTES: u64 = 100 * 1024 * 1024;

/// Bounds that hold for all sites of one [`crate::SiteService`].
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// How long a connection to a pool may take, with all retries while php-fpm comes back.
    pub connect_timeout: Duration,
    /// How long PHP may take until its header is complete; then 504.
    pub header_timeout: Duration,
    /// How long a request may occupy a worker in all; then 504, or a broken body.
    pub total_timeout: Duration,
    /// How long a client may pause within a request body; then 408.
    pub body_idle_timeout: Duration,
    /// How long a request waits for a free worker; then 503.
    pub queue_timeout: Duration,
    /// How many requests of one site may wait for a worker; one more is a 503.
    pub queue_len: usize,
    /// How many requests of all sites may be in PHP at the same time.
    pub total_workers: usize,
    /// The largest sum of a request's FastCGI parameters in bytes; beyond is 431.
    pub max_params_bytes: usize,
    /// The largest header of an answer of PHP in bytes; beyond is 502.
    pub max_response_header_bytes: usize,
    /// The most that is kept of one message that PHP writes to standard error.
    pub max_stderr_bytes: usize,
    /// Request bodies up to this size stay in memory, larger ones go to a file.
    pub body_memory_bytes: usize,
    /// Bytes of request bodies that one site may have in files at the same time.
    pub site_spool_bytes: u64,
    /// Bytes of request bodies that all sites may have in files at the same time.
    pub total_spool_bytes: u64,
    /// Where the unlinked files for request bodies are made.
    pub spool_dir: PathBuf,
    /// `SERVER_ADDR` for PHP.
    pub server_addr: String,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(300),
            total_timeout: Duration::from_secs(300),
            body_idle_timeout: Duration::from_secs(60),
            queue_timeout: Duration::from_secs(10),
            queue_len: 50,
            total_workers: 256,
            max_params_bytes: 64 * 1024,
            max_response_header_bytes: 64 * 1024,
            max_stderr_bytes: 8 * 1024,
            body_memory_bytes: 256 * 1024,
            site_spool_bytes: 512 * 1024 * 1024,
            total_spool_bytes: 4 * 1024 * 1024 * 1024,
            spool_dir: PathBuf::from("/tmp"),
            server_addr: "127.0.0.1".to_owned(),
        }
    }
}
