//! A folder of this run, removed at its end.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;

/// What names of scratch folders begin with.
const PREFIX: &str = "apb-";

/// The folder. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a folder of its own in `parent`; servers of other users may pass through it.
    pub(crate) fn make(parent: &Path, what: &str) -> anyhow::Result<Self> {
        let path = parent.join(format!("{PREFIX}{}-{what}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o711))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("could not remove {}: {error}", self.path.display());
        }
    }
}
