//! The sizes that the platform is built to (`facts.md`).

/// Sites (slots) of one shard.
pub const SLOTS_PER_SHARD: u32 = 50;
/// Largest request body that a site takes, in bytes (uploads to 100 MB).
pub const MAX_BODY_BYTES: u64 = 100 * 1024 * 1024;
/// Database connections of one tenant at most.
pub const DB_CONNECTIONS_PER_TENANT: u32 = 100;
/// Database connections of a shard's server at most.
pub const DB_CONNECTIONS_PER_SHARD: u32 = 1_500;
/// A query longer than this is slow, in milliseconds.
pub const SLOW_QUERY_MS: u64 = 2_000;
/// A deleted tenant keeps its name and can be undeleted for this long, in seconds (7 days).
pub const UNDELETE_WINDOW_S: u64 = 7 * 24 * 3600;
/// A login link works once, and no longer than this, in seconds.
pub const LOGIN_LINK_TTL_S: u64 = 15 * 60;
/// Regions that the platform knows (`facts.md`); the first is the default of a single machine.
pub const REGIONS: &[&str] = &["us-central1", "europe-west1", "asia-northeast1"];
