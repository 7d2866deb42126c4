//! `aip.json`, the first member: what the archive holds and where it came from.

use serde::Deserialize;
use serde::Serialize;

/// Version of the format that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of the platform that wrote it.
    pub platform_version: String,
    /// The site that it was made from.
    pub tenant: ManifestTenant,
    /// Its WordPress.
    pub wordpress: ManifestWordPress,
    /// Its database.
    pub database: ManifestDatabase,
    /// Its files.
    pub files: ManifestFiles,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Made from a dump and files of another host, not exported by a platform.
    #[serde(default)]
    pub foreign: bool,
}

/// The site of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestTenant {
    /// Its name; empty for a foreign one.
    pub name: String,
    /// Its uid; empty for a foreign one.
    pub uid: String,
}

/// The WordPress of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestWordPress {
    /// Core version, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Address of the site (`home`), without a slash at the end.
    pub home: String,
    /// Address of WordPress (`siteurl`), likewise.
    pub siteurl: String,
}

/// The database of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestDatabase {
    /// What names of tables begin with.
    pub table_prefix: String,
    /// Character set of the SQL text.
    pub charset: String,
    /// Collation of the database.
    pub collation: String,
    /// Tables.
    pub tables: u64,
    /// Size as the server estimates it, in bytes; for progress.
    pub bytes: u64,
}

/// The files of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFiles {
    /// Regular files as counted before they were read.
    pub count: u64,
    /// Their size in bytes, likewise.
    pub bytes: u64,
}
