//! Plugins and themes: in the platform's mirror, and on a site.

use aipress_types::PackageKind;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// An archive in the mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageView {
    /// SHA-256 of the archive: its id.
    pub sha256: String,
    /// Plugin or theme.
    pub kind: PackageKind,
    /// Its folder's name, as specs name it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its name for people.
    pub title: String,
    /// Size of the archive, in bytes.
    pub size: u64,
    /// WordPress that it needs at least.
    pub requires: Option<String>,
    /// PHP that it needs at least.
    pub requires_php: Option<String>,
    /// Newest WordPress that its author tested it with.
    pub tested: Option<String>,
    /// When the platform first saw it.
    #[serde(with = "time::serde::rfc3339")]
    pub first_seen: OffsetDateTime,
    /// Who may use it, as far as the caller may see.
    pub holders: Vec<PackageHolderView>,
}

/// Who may use an archive, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageHolderView {
    /// The account; every account when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Uuid>,
    /// `upload`, `wordpress.org`, or its address.
    pub origin: String,
    /// Who brought it.
    pub actor: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub added_at: OffsetDateTime,
}

/// Asks the mirror to get an archive in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackageFetch {
    /// Plugin or theme.
    pub kind: PackageKind,
    /// Its folder's name, such as `akismet`.
    pub name: String,
    /// Its version; the newest when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `wordpress.org` (when left out) or `https://…#sha256=<64 hex digits>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}
