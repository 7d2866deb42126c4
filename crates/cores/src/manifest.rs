//! `.aipress-core.json`: what is in a core's folder and where it came from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::CoreError;
use crate::version::Version;

/// The manifest's name in a core's folder. The dot keeps the gateway from
/// ever serving it.
pub(crate) const NAME: &str = ".aipress-core.json";

/// What a core's folder holds. It is the last file written into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// WordPress's full version.
    pub version: Version,
    /// The least PHP version that it runs on (`$required_php_version`).
    pub requires_php: Version,
    /// Where it came from.
    pub origin: Origin,
    /// The default themes in `wp-content/themes`.
    pub themes: Vec<String>,
    /// Number of files, without manifest and configuration.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// SHA-256 over names and contents of these files, hex.
    pub tree_sha256: String,
    /// When it was fetched, seconds since 1970 (UTC).
    pub fetched_at_unix_s: u64,
}

/// Where a core came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// The official release archive.
    Release {
        /// The archive's name.
        archive: String,
        /// Its SHA-1 as published beside it, hex.
        sha1: String,
        /// Its SHA-256, hex.
        sha256: String,
    },
    /// Packages of a Debian or Ubuntu archive, in the order of unpacking.
    Packages {
        /// The suite that they are from.
        suite: String,
        /// Name, version and checksum of each.
        packages: Vec<Package>,
    },
}

/// One package that went into a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the package file as signed, hex.
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest of a core's folder; `None` when the folder has none
    /// that is understood, so is not a core of ours.
    pub(crate) fn read(core_dir: &Path) -> Option<Manifest> {
        let text = std::fs::read(core_dir.join(NAME)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes it into a core's (staging) folder.
    pub(crate) fn write(&self, core_dir: &Path) -> Result<(), CoreError> {
        let path = core_dir.join(NAME);
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| CoreError::malformed("the manifest", error))?;
        text.push(b'\n');
        crate::config_file::replace(&path, &text)
    }
}
