//! The log of slow queries, kept to a bound. The server writes it for ever; a site whose queries
//! are slow would fill the disk with it.

use std::path::Path;
use std::path::PathBuf;

use sqlx::mysql::MySqlConnection;

use super::execute;
use crate::error::DriverError;
use crate::layout::ShardPaths;

/// Bytes of the log; then it is put aside, in the place of the one before.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// One that is put aside is kept when it is no larger: a query may be 64 MiB, and all of it is
/// written.
const KEPT_BYTES: u64 = 4 * MAX_BYTES;

/// Where the server writes it (`slow_query_log_file`).
pub(super) fn path(paths: &ShardPaths) -> PathBuf {
    paths.mariadb().join("data").join("slow.log")
}

/// Whether it is time.
pub(super) fn is_full(path: &Path) -> bool {
    // Not there before the first slow query.
    path.symlink_metadata().is_ok_and(|found| found.len() > MAX_BYTES)
}

/// Puts it aside and lets the server begin a new one. Killed in between, the server writes to the
/// old one until the next time.
pub(super) async fn rotate(path: &Path, session: &mut MySqlConnection) -> Result<(), DriverError> {
    let fail = |source| DriverError::io("put the log of slow queries aside", path, source);
    let aside = path.with_extension("log.1");
    std::fs::rename(path, &aside).map_err(fail)?;
    execute(session, "begin a new log of slow queries", "FLUSH SLOW LOGS").await?;
    match aside.symlink_metadata() {
        Ok(found) if found.len() > KEPT_BYTES => std::fs::remove_file(&aside).map_err(fail),
        _ => Ok(()),
    }
}
