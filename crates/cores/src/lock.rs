//! One writer at a time: an advisory lock on a file, waited for with a limit.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::error::CoreError;
use crate::store::Progress;

/// How long to wait for another process; fetching a core over a slow line is
/// the longest thing that is done under the lock.
const LIMIT: Duration = Duration::from_secs(15 * 60);
const INTERVAL: Duration = Duration::from_millis(100);

/// Holds the lock until it is dropped (or its process ends in any way).
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock at `path`, waiting while another process or task has it.
pub(crate) async fn take(path: &Path, progress: Progress<'_>) -> Result<Lock, CoreError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(CoreError::io("open", path))?;
    let started = tokio::time::Instant::now();
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::Error(source)) => return Err(CoreError::io("lock", path)(source)),
            Err(TryLockError::WouldBlock) if started.elapsed() > LIMIT => {
                return Err(CoreError::Locked { path: path.to_owned(), limit: LIMIT });
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !told {
            progress("waiting for another process that fetches WordPress");
            told = true;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
