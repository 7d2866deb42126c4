//! Pages of lists: opaque cursors, stable under inserts.

use serde::Deserialize;
use serde::Serialize;

/// Items on a page when the caller does not say.
pub const DEFAULT_LIMIT: u32 = 50;
/// Items on a page at most.
pub const MAX_LIMIT: u32 = 500;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// Pass it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
