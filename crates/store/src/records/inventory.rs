//! What a site has, as its shard last saw it.

use aipress_types::TenantUid;
use serde_json::Value;
use time::OffsetDateTime;

/// One inventory.
#[derive(Debug, Clone, PartialEq)]
pub struct InventoryRecord {
    /// Whose.
    pub uid: TenantUid,
    /// When it was seen.
    pub observed_at: OffsetDateTime,
    /// What was seen.
    pub document: Value,
}
