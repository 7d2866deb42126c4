//! Between meta and a shard: an archive of a site in the shard's spool.

use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

/// Begins an export (`PUT /v1/exports/{id}` of a shard's control plane).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportBegin {
    /// Whose site.
    pub tenant: TenantUid,
    /// The tenant's document, as YAML.
    pub document: String,
    /// Version of the platform.
    pub platform_version: String,
}

/// Where an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportPhase {
    /// It is being written.
    #[default]
    Running,
    /// It is whole.
    Done,
    /// It failed; nothing of it is left.
    Failed,
}

/// How an export is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportStatus {
    /// Where it is.
    pub phase: ExportPhase,
    /// Changes when it was begun anew: what was read before is of another archive.
    pub attempt: Uuid,
    /// Size of the archive as far as it is written, in bytes.
    pub bytes: u64,
    /// Bytes of the site that were read.
    pub done: u64,
    /// Bytes of the site that there are, as estimated.
    pub total: u64,
    /// CRC-32 of the whole archive (as of gzip, 8 hex digits), once it is whole.
    pub crc32: Option<String>,
    /// Why it failed.
    pub message: Option<String>,
    /// What is not in it, or not as it was.
    pub notes: Vec<String>,
}
