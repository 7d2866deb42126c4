//! Plugins and themes in the mirror.

use aipress_types::AccountId;
use aipress_types::PackageKind;
use aipress_types::TenantName;
use aipress_types::TenantSpec;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// What an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFacts {
    /// SHA-256 of the archive, 64 lower-case hex digits.
    pub sha256: String,
    /// Plugin or theme.
    pub kind: PackageKind,
    /// Its folder's name.
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
    /// Newest WordPress that it was tested with.
    pub tested: Option<String>,
}

/// Who has an archive, and where from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageHolder {
    /// Whose it is; `None` for everybody.
    pub account: Option<AccountId>,
    /// Where it came from: `upload`, `wordpress.org` or its address.
    pub origin: String,
    /// Who brought it, such as `user:<uuid>`.
    pub actor: String,
    /// When.
    pub added_at: OffsetDateTime,
}

/// An archive in the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRecord {
    /// What it is.
    pub facts: PackageFacts,
    /// When it was first seen by the platform.
    pub first_seen: OffsetDateTime,
    /// Who has it: at least one, everybody first.
    pub holders: Vec<PackageHolder>,
}

/// Which archives are wanted; every field that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageFilter {
    /// Only what these accounts or everybody has; `None` for all.
    pub accounts: Option<Vec<AccountId>>,
    /// Only this kind.
    pub kind: Option<PackageKind>,
    /// Only this name.
    pub name: Option<String>,
    /// Only this version.
    pub version: Option<String>,
}

/// Position in a list of archives, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageCursor {
    /// Name of the last row seen.
    pub name: String,
    /// SHA-256 of the last row seen.
    pub sha256: String,
}

/// The first bytes that an origin gave for a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSighting {
    /// Where: `wordpress.org`.
    pub origin: String,
    /// What.
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of what was there.
    pub sha256: String,
}

/// A site whose spec names a package.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageUse {
    /// The site.
    pub tenant: TenantName,
    /// Whose it is.
    pub account: AccountId,
    /// Its spec.
    pub spec: TenantSpec,
}
