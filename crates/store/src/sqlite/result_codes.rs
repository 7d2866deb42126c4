//! From SQLite's result codes to [`StoreError`] (<https://www.sqlite.org/rescode.html>).

use super::Result;
use crate::error::ConflictRule;
use crate::error::StoreError;

const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_READONLY: i32 = 8;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_NOTADB: i32 = 26;
const SQLITE_CONSTRAINT_FOREIGNKEY: i32 = 787;
/// The shared-memory file could not be made as large as it must be, for which there is one reason.
const SQLITE_IOERR_SHMSIZE: i32 = 4874;

/// Turns the database library's results into ours. A private trait, and not `From`, so that the
/// library does not show in the public API.
pub(super) trait Db<T> {
    /// The same result with our error.
    fn db(self) -> Result<T>;
}

impl<T> Db<T> for std::result::Result<T, sqlx::Error> {
    fn db(self) -> Result<T> {
        self.map_err(translate)
    }
}

fn translate(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::PoolTimedOut => StoreError::Busy(error.into()),
        sqlx::Error::ColumnDecode { index, .. } => {
            let context = format!("column {index}");
            StoreError::corrupt(context, error)
        }
        sqlx::Error::Database(database) => {
            // The library prints the extended code as a decimal number.
            let code: i32 = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            match code & 0xff {
                SQLITE_BUSY | SQLITE_LOCKED => StoreError::Busy(error.into()),
                SQLITE_FULL => StoreError::Full(error.into()),
                SQLITE_IOERR if code == SQLITE_IOERR_SHMSIZE => StoreError::Full(error.into()),
                SQLITE_IOERR | SQLITE_READONLY | SQLITE_CANTOPEN => StoreError::Disk(error.into()),
                SQLITE_CORRUPT | SQLITE_NOTADB => StoreError::corrupt("the file", error),
                SQLITE_CONSTRAINT => StoreError::Conflict { rule: rule(code, database.message()) },
                _ => StoreError::Other(error.into()),
            }
        }
        _ => StoreError::Other(error.into()),
    }
}

/// Which rule, from the columns that SQLite names: `UNIQUE constraint failed: tenants.name`.
fn rule(code: i32, message: &str) -> ConflictRule {
    if code == SQLITE_CONSTRAINT_FOREIGNKEY {
        return ConflictRule::Reference;
    }
    match message.rsplit_once(": ").map(|(_, columns)| columns) {
        Some("tenants.name") => ConflictRule::TenantName,
        Some("tenants.uid") => ConflictRule::TenantUid,
        Some("users.login") => ConflictRule::UserLogin,
        _ => ConflictRule::Other,
    }
}
