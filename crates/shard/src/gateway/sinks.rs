//! Where the gateway's records go: its log, which the supervisor keeps.

use aipress_runtime::AccessRecord;
use aipress_runtime::AccessSink;
use aipress_runtime::ErrorSink;
use aipress_types::ShardId;

/// Longest text of a tenant's PHP errors in one line of the log, in bytes.
const MAX_ERROR_TEXT: usize = 8 * 1024;

/// Writes both kinds as structured lines.
pub(super) struct Logs {
    pub(super) shard: ShardId,
    pub(super) access: bool,
}

impl AccessSink for Logs {
    fn record(&self, record: &AccessRecord) {
        if !self.access {
            return;
        }
        tracing::info!(
            target: "access",
            tenant_id = record.uid.as_deref(),
            service = "gateway",
            shard = %self.shard,
            method = %record.method,
            path = record.path,
            status = record.status.as_u16(),
            bytes = record.bytes,
            duration_ms = u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX),
            queued_ms = u64::try_from(record.queued.as_millis()).unwrap_or(u64::MAX),
            source = record.source.as_str(),
            complete = record.complete,
        );
    }
}

impl ErrorSink for Logs {
    fn stderr(&self, uid: &str, text: &[u8], truncated: bool) {
        let shown = String::from_utf8_lossy(&text[..text.len().min(MAX_ERROR_TEXT)]);
        tracing::warn!(
            target: "php",
            tenant_id = uid,
            service = "gateway",
            shard = %self.shard,
            truncated = truncated || text.len() > MAX_ERROR_TEXT,
            message = %shown.trim_end(),
        );
    }
}
