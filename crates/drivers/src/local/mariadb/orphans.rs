//! Prepared transactions (XA) that nobody holds.
//!
//! Such a transaction outlives its connection, its site and the server, keeps its locks, and is shown to
//! every user, each of whom may end it: MariaDB has no right for that. So none is left over: one
//! whose connection is gone is rolled back. One that a connection holds can't be ended by another.

use sqlx::MySqlConnection;
use sqlx::Row;

use super::execute;
use super::sql_error;
use crate::error::DriverError;

const WHAT: &str = "roll back prepared transactions that nobody holds";

/// Rolls back those that no connection holds.
pub(super) async fn end(session: &mut MySqlConnection) -> Result<(), DriverError> {
    let rows = sqlx::raw_sql("XA RECOVER").fetch_all(&mut *session).await;
    let rows = rows.map_err(|error| sql_error(WHAT, error))?;
    for row in rows {
        let number = |column: &str| row.try_get_unchecked::<i64, _>(column);
        let read = || {
            let (format, global) = (number("formatID")?, number("gtrid_length")?);
            Ok((format, global, row.try_get_unchecked::<Vec<u8>, _>("data")?))
        };
        let (format, global, data) = read().map_err(|error| sql_error(WHAT, error))?;
        let global = usize::try_from(global).unwrap_or_default().min(data.len());
        let (global, branch) = data.split_at(global);
        // Unknown: a connection holds it, or it ended by itself.
        let statement =
            format!("XA ROLLBACK X'{}',X'{}',{format};", hex::encode(global), hex::encode(branch));
        if execute(session, WHAT, &statement).await.is_ok() {
            tracing::info!(xid = hex::encode(&data), "rolled back a transaction that nobody holds");
        }
    }
    Ok(())
}
