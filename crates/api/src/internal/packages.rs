//! How a shard finds out which archive a spec means, and gets it.

use aipress_types::PackageKind;
use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;

/// `POST /internal/v1/packages/resolve`: which archive does a site's spec mean?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackageResolve {
    /// The site, which must be the shard's.
    pub tenant: TenantUid,
    /// Plugin or theme.
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its version, where the spec says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its source, where the spec says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum PackageResolved {
    /// It is in the mirror: `GET /internal/v1/packages/{sha256}?tenant=UID` streams it.
    #[serde(rename_all = "camelCase")]
    Ready {
        /// SHA-256 of the archive.
        sha256: String,
        /// Version that its headers say.
        version: String,
        /// Its size, in bytes.
        size: u64,
    },
    /// The mirror is getting it: ask again.
    Fetching,
    /// It can't be had.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Why, and what to do; for people.
        detail: String,
        /// Whether asking again may help without anybody doing anything.
        later: bool,
    },
}
