//! Whether the server's disk has room for another database.
//!
//! Making tables on a full disk fails half-way, and a server that dies then may not recover
//! (`recovery.rs`): so the platform begins nothing that it may not be able to end.

use std::path::PathBuf;

use sqlx::MySqlConnection;

use super::sql_error;
use crate::error::DriverError;

/// Left on the disk before a database is made, bytes: a template's tables take 2 MB, the redo and
/// binary logs grow beside them.
const HEADROOM_BYTES: u64 = 256 << 20;

/// `Ok` when there is room.
///
/// # Errors
/// `Failed` (it may work the next time) with what is left.
pub(crate) async fn check(session: &mut MySqlConnection, what: &str) -> Result<(), DriverError> {
    let folder: String = sqlx::query_scalar("SELECT @@datadir")
        .fetch_one(session)
        .await
        .map_err(|error| sql_error(what, error))?;
    let folder = PathBuf::from(folder);
    let found = rustix::fs::statvfs(&folder)
        .map_err(|errno| DriverError::failed(what, format!("look at the disk: {errno}")))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free >= HEADROOM_BYTES {
        return Ok(());
    }
    Err(DriverError::failed(
        what,
        format!(
            "the database's disk has {} MiB left, and a new database is begun with {} MiB only: \
             make room",
            free >> 20,
            HEADROOM_BYTES >> 20
        ),
    ))
}
