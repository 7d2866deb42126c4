//! One supervisor for a folder: an advisory lock that dies with its process.
//!
//! The lock is on an open file (flock(2)), so the kernel gives it back however
//! the holder ends, and it is not inherited by units (close-on-exec).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// Name of the lock file in the supervisor's folder.
const FILE_NAME: &str = "supervisor.lock";

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another supervisor runs on this folder.
    #[error("already running{} on {}; stop it first or use another folder", with_pid(.pid), .dir.display())]
    Held {
        /// The folder.
        dir: PathBuf,
        /// The other's process id, when it has written it already.
        pid: Option<u32>,
    },
    /// The lock file could not be used.
    #[error("lock {}: {error}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

fn with_pid(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" as process {pid}"))
}

/// Proof of being the only supervisor of a folder. Take it before changing
/// anything there, and keep it to the end.
#[derive(Debug)]
pub struct InstanceLock {
    dir: PathBuf,
    _file: File,
}

impl InstanceLock {
    /// Takes the lock of `dir` (`run/` of the data folder), which is made with
    /// mode 0711 when missing.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join(FILE_NAME);
        let failed = |error| LockError::Io { path: path.clone(), error };
        fs::DirBuilder::new().recursive(true).mode(0o711).create(dir).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(&path)
            .map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                let pid = file.read_to_string(&mut pid).ok().and_then(|_| pid.trim().parse().ok());
                return Err(LockError::Held { dir: dir.to_owned(), pid });
            }
            Err(error) => return Err(failed(error.into())),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { dir: dir.to_owned(), _file: file })
    }

    /// The folder that is locked.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = InstanceLock::acquire(&dir.path().join("run")).unwrap();
        let error = InstanceLock::acquire(first.dir()).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", std::process::id())));
        drop(first);
        InstanceLock::acquire(&dir.path().join("run")).unwrap();
    }
}
