//! How large a site's database is, as the server estimates it.

use aipress_types::TenantUid;
use sqlx::MySqlConnection;

use super::sql_error;
use crate::database::DatabaseSize;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// Tables that are named.
const NAMED: usize = 10;

/// Looks.
pub(crate) async fn of(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<DatabaseSize, DriverError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT CONVERT(TABLE_NAME USING utf8mb4), \
         CAST(COALESCE(DATA_LENGTH + INDEX_LENGTH, 0) AS SIGNED) \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE' \
         ORDER BY 2 DESC, 1",
    )
    .bind(tenant_handle(uid))
    .fetch_all(session)
    .await
    .map_err(|error| sql_error("look at a database's size", error))?;
    let sizes: Vec<(String, u64)> =
        rows.into_iter().map(|(name, bytes)| (name, u64::try_from(bytes).unwrap_or(0))).collect();
    Ok(DatabaseSize {
        bytes: sizes.iter().map(|(_, bytes)| bytes).sum(),
        tables: sizes.len() as u64,
        largest: sizes.into_iter().take(NAMED).collect(),
    })
}
