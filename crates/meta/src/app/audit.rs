//! Audit rows on the wire.

use aipress_api::AuditView;
use aipress_store::AuditRecord;

/// An audit row.
pub(crate) fn view(row: AuditRecord) -> AuditView {
    let entry = row.entry;
    AuditView {
        // The registry counts rows of one federation; it will not pass 2^63.
        id: i64::try_from(row.id).unwrap_or(i64::MAX),
        at: entry.at,
        actor: entry.actor,
        action: entry.action,
        resource: format!("{}:{}", entry.resource_kind, entry.resource_id),
        request_id: entry.request_id,
        before: entry.before,
        after: entry.after,
    }
}
