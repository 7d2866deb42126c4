//! One supervisor for a folder: an advisory lock that dies with its process.
//!
//! The lock is on an open file (flock(2)), so the kernel gives it back however
//! the holder ends, and it is not inherited by units (close-on-exec).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::sweep::Exit;

/// Name of the lock file in the supervisor's folder.
const FILE_NAME: &str = "supervisor.lock";

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another supervisor runs on this folder.
    #[error("already running{} on {}", with_pid(.pid), .dir.display())]
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

/// The process that has the lock of a folder, from the moment that it takes it: long before its
/// control socket answers.
#[derive(Debug)]
pub struct Holder {
    pid: u32,
    process: OwnedFd,
}

impl Holder {
    /// Who has the lock of `dir`, without touching it: taking it even for a moment could turn
    /// away a supervisor that starts right now.
    pub fn of(dir: &Path) -> Option<Self> {
        let path = dir.join(FILE_NAME);
        let pid: u32 = fs::read_to_string(&path).ok()?.trim().parse().ok()?;
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        // A handle first: what is true of the process afterwards is true of this very one.
        let process = rustix::process::pidfd_open(raw, PidfdFlags::empty()).ok()?;
        let inode = fs::metadata(&path).ok()?.ino();
        let locks = fs::read_to_string("/proc/locks").ok()?;
        locks.lines().any(|line| is_lock_of(line, pid, inode)).then_some(Self { pid, process })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Errors
    /// When it is another user's.
    pub fn end(&self) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(&self.process, Signal::TERM) {
            // It has ended by itself.
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns once it has ended.
    ///
    /// # Errors
    /// When it can't be watched.
    pub async fn ended(self) -> io::Result<()> {
        Exit::new(self.process)?.wait().await;
        Ok(())
    }
}

/// Whether a line of `/proc/locks` (proc_locks(5)) is a flock(2) of this process on this file:
/// `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`.
fn is_lock_of(line: &str, pid: u32, inode: u64) -> bool {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    // The device is left out: layered file systems show another one here than stat(2) does.
    let same_file = |device_and_inode: &&str| {
        device_and_inode.rsplit(':').next().is_some_and(|text| text.parse() == Ok(inode))
    };
    matches!(fields.get(1..4), Some(["FLOCK", _, "WRITE"]))
        && fields.get(4).is_some_and(|text| text.parse() == Ok(pid))
        && fields.get(5).is_some_and(same_file)
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
        let holder = Holder::of(first.dir()).unwrap();
        assert_eq!(holder.pid(), std::process::id());
        drop(first);
        assert!(Holder::of(&dir.path().join("run")).is_none(), "a number in a file is no proof");
        InstanceLock::acquire(&dir.path().join("run")).unwrap();
    }

    #[test]
    fn a_lock_is_that_of_one_process_on_one_file() {
        let line = "12: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF";
        assert!(is_lock_of(line, 1234, 5678));
        assert!(!is_lock_of(line, 123, 5678) && !is_lock_of(line, 1234, 567));
        assert!(!is_lock_of("12: -> FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF", 1234, 5678));
        assert!(!is_lock_of("13: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF", 1234, 5678));
    }
}
