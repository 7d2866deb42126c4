//! Exports, imports and clones on the wire.

use aipress_types::AccountId;
use aipress_types::TenantSpec;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::operation::OperationView;

/// An export: an archive of a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportView {
    /// Its id.
    pub id: Uuid,
    /// Whose site.
    pub tenant_uid: Uuid,
    /// That site's name.
    pub tenant_name: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// Changes when it was begun anew: what was downloaded before is of another archive.
    pub attempt: Uuid,
    /// Size of the archive as far as it is written, in bytes.
    pub bytes: u64,
    /// Bytes of the site that were read.
    pub done: u64,
    /// Bytes of the site that there are, as estimated.
    pub total: u64,
    /// CRC-32 of the archive (as of gzip, 8 hex digits), once it is done: of what was sent. What is
    /// in it has a SHA-256 of each file.
    pub crc32: Option<String>,
    /// Why it failed.
    pub message: Option<String>,
    /// What is not in it, or not as it was.
    pub notes: Vec<String>,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it is removed.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// What an accepted export is answered with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExportAccepted {
    /// The export; its archive can be downloaded at once, as it grows.
    pub export: ExportView,
    /// The operation to follow.
    pub operation: OperationView,
}

/// What `POST /v1/imports` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportCreate {
    /// Name of the site that is made: 3–40 characters of a-z, 0-9 and -.
    pub name: String,
    /// The account that owns it; the caller's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub account: Option<AccountId>,
    /// What it is asked to be; as in the archive's document when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<TenantSpec>,
}

/// An import: an archive on its way to become a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportView {
    /// Its id.
    pub id: Uuid,
    /// Name of the site that is made.
    pub name: String,
    /// `uploading`, `building`, `removing`, `done` or `failed`.
    pub state: String,
    /// Bytes of the archive that are there: where an upload goes on.
    pub offset: u64,
    /// What a look at the archive brought: its site, and what will not work here.
    #[schema(value_type = Option<Object>)]
    pub report: Option<Value>,
    /// Uid of the site that is made.
    pub tenant_uid: Option<Uuid>,
    /// Why it failed.
    pub message: Option<String>,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When an upload that does not go on is removed.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// What `POST /v1/imports/{id}/complete` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportComplete {
    /// SHA-256 of the archive, 64 hex digits: compared with what arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Only look at it: answers 200 with the import and its report, and makes nothing.
    #[serde(default)]
    pub check_only: bool,
}

/// What `POST /v1/tenants/{id}/clone` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloneCreate {
    /// Name of the new site: 3–40 characters of a-z, 0-9 and -.
    pub name: String,
}
