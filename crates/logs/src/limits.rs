//! How much is kept, in memory and on disk.

use std::time::Duration;

use aipress_api::LogSource;

const MIB: u64 = 1024 * 1024;

/// Longest message of a line, in bytes; the rest is cut off.
pub(crate) const MAX_MESSAGE: usize = 8 * 1024;
/// Longest path of a request, in bytes.
pub(crate) const MAX_PATH: usize = 2 * 1024;
/// Longest other field of a line, in bytes.
pub(crate) const MAX_FIELD: usize = 512;

/// Bounds of a log.
#[derive(Debug, Clone)]
pub struct LogLimits {
    /// Bytes of access lines, and of PHP lines, that a tenant keeps on disk (each).
    pub large_bytes: u64,
    /// Bytes that a tenant keeps on disk of each other source.
    pub small_bytes: u64,
    /// Bytes of a segment: what goes at once when the oldest lines go.
    pub segment_bytes: u64,
    /// How long a line is kept.
    pub max_age: Duration,
    /// How long a segment takes lines, so that a quiet site's old ones can go by age.
    pub segment_age: Duration,
    /// Bytes of one tenant and source that wait in memory to be written; beyond, the oldest of
    /// these go.
    pub queue_bytes: usize,
    /// Bytes that wait in memory of all tenants together.
    pub total_queue_bytes: usize,
    /// Between two looks for what is too old.
    pub sweep: Duration,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            large_bytes: 64 * MIB,
            small_bytes: 8 * MIB,
            segment_bytes: 4 * MIB,
            max_age: Duration::from_secs(30 * 24 * 3600),
            segment_age: Duration::from_secs(24 * 3600),
            queue_bytes: 512 * 1024,
            total_queue_bytes: 32 * 1024 * 1024,
            sweep: Duration::from_secs(3600),
        }
    }
}

impl LogLimits {
    /// Bytes that a tenant keeps on disk of `source`.
    pub(crate) fn disk_bytes(&self, source: LogSource) -> u64 {
        match source {
            LogSource::Access | LogSource::Php => self.large_bytes,
            _ => self.small_bytes,
        }
    }

    /// Bytes of a segment of `source`.
    pub(crate) fn segment_of(&self, source: LogSource) -> u64 {
        self.segment_bytes.min(self.disk_bytes(source) / 4)
    }
}
