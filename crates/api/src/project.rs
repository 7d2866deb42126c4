//! Projects on the wire.

use serde::Deserialize;
use serde::Serialize;

/// A cloud project; on one machine a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectView {
    /// Such as `aipress-control-meta` or a shard's id.
    pub id: String,
    /// `control`, `shared` or `shard`.
    pub kind: String,
    /// The shard that lives in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The region, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}
