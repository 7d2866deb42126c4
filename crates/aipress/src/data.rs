//! Which data folder is meant.

use std::path::Path;
use std::path::PathBuf;

use aipress_drivers::DataPaths;

use crate::exit::Failure;

/// The data folder that was given, or the default of this user.
///
/// # Errors
/// When the folder can't be used, in words that name `--data`.
pub(crate) fn paths(given: Option<&Path>) -> Result<DataPaths, Failure> {
    let root = match given {
        Some(path) => std::path::absolute(path)?,
        None => default_root()?,
    };
    DataPaths::new(root).map_err(|error| Failure::Usage(error.to_string()))
}

fn default_root() -> Result<PathBuf, Failure> {
    if is_root() {
        return Ok(PathBuf::from("/var/lib/aipress"));
    }
    std::env::home_dir()
        .map(|home| home.join(".local/share/aipress"))
        .ok_or_else(|| Failure::Usage("no home folder is known; give a folder by --data".into()))
}

/// Whether this process may switch users.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
