//! A folder of core versions: `<dir>/<version>/`, each with its manifest.
//!
//! The data folder has one and the cache has one. Everything unfinished in it
//! has a name that starts with [`STAGING`] and is removed by whoever holds the
//! lock next.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::CoreError;
use crate::manifest::{self, Manifest};
use crate::store::{Core, Wanted};
use crate::tree;
use crate::version::Version;

const STAGING: &str = ".staging-";
/// Which version was the newest one when the default was last looked up.
const DEFAULT: &str = ".default";

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    pub(crate) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.dir.join(".lock")
    }

    /// Makes the folder; every site's Unix user reads beneath it.
    pub(crate) fn create(&self) -> Result<(), CoreError> {
        fs::create_dir_all(&self.dir).map_err(CoreError::io("create folder", &self.dir))?;
        fs::set_permissions(&self.dir, fs::Permissions::from_mode(0o755))
            .map_err(CoreError::io("set the mode of", &self.dir))
    }

    /// The versions in it, oldest first. A folder without a manifest of its
    /// own version is none.
    pub(crate) fn list(&self) -> Result<Vec<Core>, CoreError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(CoreError::io("list", &self.dir)(error)),
        };
        let mut cores = Vec::new();
        for entry in entries {
            let entry = entry.map_err(CoreError::io("list", &self.dir))?;
            let name = entry.file_name();
            let Some(version) = name.to_str().and_then(|name| name.parse::<Version>().ok()) else {
                continue;
            };
            if let Some(manifest) = Manifest::read(&entry.path()).filter(|m| m.version == version) {
                cores.push(Core { dir: entry.path(), manifest });
            }
        }
        cores.sort_by(|a, b| a.manifest.version.cmp(&b.manifest.version));
        Ok(cores)
    }

    /// The newest version that answers to `wanted` and runs on `php`. For the
    /// default: the one that was the newest when it was looked up.
    pub(crate) fn find(&self, wanted: &Wanted, php: &Version) -> Result<Option<Core>, CoreError> {
        let branch = match wanted {
            Wanted::Version(version) => version.clone(),
            Wanted::Default => match self.default_version() {
                Some(version) => version,
                None => return Ok(None),
            },
        };
        let exact = matches!(wanted, Wanted::Default);
        let answers = |core: &Core| {
            let version = &core.manifest.version;
            let named = if exact { *version == branch } else { version.is_of(&branch) };
            named && core.manifest.requires_php <= *php
        };
        Ok(self.list()?.into_iter().rev().find(answers))
    }

    /// Notes `version` as the default from now on.
    pub(crate) fn set_default(&self, version: &Version) -> Result<(), CoreError> {
        if self.default_version().as_ref() == Some(version) {
            return Ok(());
        }
        crate::config_file::replace(&self.dir.join(DEFAULT), format!("{version}\n").as_bytes())
    }

    fn default_version(&self) -> Option<Version> {
        fs::read_to_string(self.dir.join(DEFAULT)).ok()?.trim().parse().ok()
    }

    /// Removes what interrupted runs left. Only with the lock held.
    pub(crate) fn sweep(&self) -> Result<(), CoreError> {
        let entries = fs::read_dir(&self.dir).map_err(CoreError::io("list", &self.dir))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with(STAGING) {
                fs::remove_dir_all(&path).map_err(CoreError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// A new staging folder, removed when it is dropped.
    pub(crate) fn stage(&self) -> Result<tempfile::TempDir, CoreError> {
        tempfile::Builder::new()
            .prefix(STAGING)
            .tempdir_in(&self.dir)
            .map_err(CoreError::io("create a staging folder in", &self.dir))
    }

    /// Puts the finished tree `core` (in a staging folder of this shelf) into
    /// its place, durably and at once. Only with the lock held.
    pub(crate) fn publish(&self, core: &Path, manifest: &Manifest) -> Result<Core, CoreError> {
        manifest.write(core)?;
        tree::sync(core)?;
        let place = self.dir.join(manifest.version.to_string());
        if place.exists() {
            // Only something that is no core of ours, or a damaged one, is
            // here now: list() does not show it, or it was to be replaced.
            let aside = self.stage()?;
            let old = aside.path().join("old");
            fs::rename(&place, &old).map_err(CoreError::io("move aside", &place))?;
        }
        fs::rename(core, &place).map_err(CoreError::io("put in place", &place))?;
        tree::sync(&self.dir)?;
        Ok(Core { dir: place, manifest: manifest.clone() })
    }

    /// Copies a core of another shelf into this one. `None` when its files are
    /// not those of its manifest any more. Only with the lock held.
    pub(crate) fn adopt(&self, core: &Core) -> Result<Option<Core>, CoreError> {
        let stage = self.stage()?;
        let copy = stage.path().join("core");
        let rules = tree::Rules {
            skip: &[manifest::NAME, crate::config_file::NAME],
            substitutes: Vec::new(),
            // Root's files in both folders cannot be changed by any site. Run
            // by one user, WordPress itself could write into them.
            hard_links: rustix::process::geteuid().is_root(),
        };
        let summary = tree::flatten(&core.dir, Path::new(""), &copy, &rules);
        match summary {
            Ok(summary) if summary.sha256 == core.manifest.tree_sha256 => {
                self.publish(&copy, &core.manifest).map(Some)
            }
            // Read errors of this shelf's own disk would come back on the
            // next write; those of the other shelf mean that it is damaged.
            Ok(_) | Err(CoreError::DanglingLink { .. } | CoreError::Malformed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
