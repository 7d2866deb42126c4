//! How much room sites' databases take, whether they may grow, and queries that do not end.
//!
//! Size is what a database's files take less what is free in them: rows that were deleted count no
//! more, though InnoDB keeps their files. Growth is taken away by revoking rights; a session keeps
//! the rights that it began with, so it is ended.

use std::path::Path;
use std::time::Duration;

use aipress_types::TenantUid;
use sqlx::MySqlConnection;
use sqlx::Row;
use sqlx::mysql::MySqlRow;

use super::account;
use super::execute;
use super::names::grant_pattern;
use super::sql_error;
use crate::Ensured;
use crate::database::DatabaseGrowth;
use crate::database::DatabaseRoom;
use crate::error::DriverError;
use crate::layout::tenant_handle;
use crate::layout::tenant_of_handle;

/// Bytes of all logs of changes: they are all sites', and grow by what is written, not by what is
/// kept. Beyond it the older half goes.
const LOGS_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// From this size on of its files it is asked what is free in them; that opens every table.
const LOOK_CLOSER: u64 = 16 * 1024 * 1024;
/// Logs of changes that are not worth giving back.
const LOGS_LEFT: u64 = 16 * 1024 * 1024;

/// All sites' databases.
pub(crate) async fn list(session: &mut MySqlConnection) -> Result<Vec<DatabaseRoom>, DriverError> {
    let what = "look how much databases take";
    // A tablespace is named `database/table`.
    let files: Vec<(String, i64)> = sqlx::query_as(
        "SELECT CONVERT(SUBSTRING_INDEX(NAME, '/', 1) USING utf8mb4), \
         CAST(SUM(FILE_SIZE) AS SIGNED) FROM information_schema.INNODB_SYS_TABLESPACES \
         WHERE NAME LIKE 't\\_%/%' GROUP BY 1",
    )
    .fetch_all(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    let rights: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT CONVERT(User USING utf8mb4), CONVERT(Insert_priv USING utf8mb4), \
         CONVERT(Update_priv USING utf8mb4) FROM mysql.db WHERE User LIKE 't\\_%'",
    )
    .fetch_all(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    let mut rooms = Vec::new();
    for (name, bytes) in files {
        let Some(uid) = tenant_of_handle(&name) else { continue };
        // One without a user is kept aside.
        let Some((_, insert, update)) = rights.iter().find(|(user, ..)| *user == name) else {
            continue;
        };
        let growth = match (insert.as_str(), update.as_str()) {
            ("Y", _) => DatabaseGrowth::Free,
            (_, "Y") => DatabaseGrowth::Updates,
            _ => DatabaseGrowth::Nothing,
        };
        let mut bytes = u64::try_from(bytes).unwrap_or(0);
        if bytes >= LOOK_CLOSER {
            bytes = bytes.saturating_sub(free_in(session, &name).await?);
        }
        rooms.push(DatabaseRoom { uid, bytes, growth });
    }
    Ok(rooms)
}

async fn free_in(session: &mut MySqlConnection, name: &str) -> Result<u64, DriverError> {
    let free: i64 = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(DATA_FREE), 0) AS SIGNED) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = ?",
    )
    .bind(name)
    .fetch_one(session)
    .await
    .map_err(|error| sql_error("look what is free in a database", error))?;
    Ok(u64::try_from(free).unwrap_or(0))
}

/// Gives or takes rights, and ends sessions that have others.
pub(crate) async fn set_growth(
    session: &mut MySqlConnection,
    uid: TenantUid,
    growth: DatabaseGrowth,
) -> Result<Ensured, DriverError> {
    let what = format!("let the database {} grow, or not", tenant_handle(uid));
    if account::fetch(session, uid).await?.is_none() {
        return Err(DriverError::conflict(what, "there is no such user"));
    }
    let (pattern, name) = (grant_pattern(&tenant_handle(uid)), account::account_name(uid));
    // Given first: at no moment there is nothing, which would look like no user's database.
    let given = account::privileges(growth);
    execute(session, &what, &format!("GRANT {given} ON {pattern}.* TO {name};")).await?;
    let withheld = account::withheld(growth);
    if !withheld.is_empty() {
        execute(session, &what, &format!("REVOKE {withheld} ON {pattern}.* FROM {name};")).await?;
    }
    execute(session, &what, &format!("KILL HARD USER {name};")).await?;
    Ok(Ensured::Repaired)
}

/// Ends the log of changes that is being written, where it is worth it, and removes those before.
pub(crate) async fn give_back_logs(session: &mut MySqlConnection) -> Result<Ensured, DriverError> {
    let what = "give back logs of changes";
    let mut logs = binary_logs(session).await?;
    let all: u64 = logs.iter().map(|(_, bytes)| bytes).sum();
    if all < LOGS_LEFT {
        return Ok(Ensured::Kept);
    }
    if logs.last().is_some_and(|(_, bytes)| *bytes >= LOGS_LEFT) {
        execute(session, what, "FLUSH BINARY LOGS;").await?;
        logs = binary_logs(session).await?;
    }
    let Some((newest, _)) = logs.last().filter(|_| logs.len() > 1) else {
        return Ok(Ensured::Kept);
    };
    // Such a name is the server's own: letters, a dot, digits.
    execute(session, what, &format!("PURGE BINARY LOGS TO '{newest}';")).await?;
    Ok(Ensured::Repaired)
}

/// Removes the oldest logs of changes when all take more than [`LOGS_MAX`].
pub(super) async fn bound_logs(session: &mut MySqlConnection) -> Result<(), DriverError> {
    let logs = binary_logs(session).await?;
    let mut kept = 0;
    let newest = logs.iter().rev().take_while(|(_, bytes)| {
        kept += bytes;
        kept <= LOGS_MAX / 2
    });
    // The one that is being written stays, however large.
    let Some((oldest, _)) = newest.last().or(logs.last()) else { return Ok(()) };
    let statement = format!("PURGE BINARY LOGS TO '{oldest}';");
    execute(session, "bound the logs of changes", &statement).await.map(drop)
}

/// Whether it is time for [`bound_logs`], by the files in the server's folder.
pub(super) fn has_too_many_logs(data: &Path) -> bool {
    let entries = std::fs::read_dir(data).into_iter().flatten().flatten();
    let logs = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"binlog."));
    logs.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum::<u64>() > LOGS_MAX
}

/// Names and sizes, the oldest first.
async fn binary_logs(session: &mut MySqlConnection) -> Result<Vec<(String, u64)>, DriverError> {
    let what = "list logs of changes";
    let rows = sqlx::raw_sql("SHOW BINARY LOGS").fetch_all(session).await;
    let rows = rows.map_err(|error| sql_error(what, error))?;
    let log = |row: &MySqlRow| Ok((row.try_get::<String, _>(0)?, row.try_get::<u64, _>(1)?));
    let logs: Result<Vec<_>, sqlx::Error> = rows.iter().map(log).collect();
    logs.map_err(|error| sql_error(what, error))
}

/// Ends queries of sites that run longer, and says whose they were.
pub(crate) async fn end_long_queries(
    session: &mut MySqlConnection,
    longer_than: Duration,
) -> Result<Vec<TenantUid>, DriverError> {
    let what = "end queries that take too long";
    let found: Vec<(i64, String)> = sqlx::query_as(
        "SELECT CAST(ID AS SIGNED), CONVERT(USER USING utf8mb4) \
         FROM information_schema.PROCESSLIST \
         WHERE COMMAND IN ('Query', 'Execute') AND TIME > ? AND USER LIKE 't\\_%'",
    )
    .bind(longer_than.as_secs())
    .fetch_all(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    let mut ended = Vec::new();
    for (id, user) in found {
        let Some(uid) = tenant_of_handle(&user) else { continue };
        // It may have ended by itself.
        if execute(session, what, &format!("KILL QUERY {id};")).await.is_ok() {
            ended.push(uid);
        }
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_changes_are_too_many_by_their_size_alone() {
        let data = tempfile::tempdir().unwrap();
        assert!(!has_too_many_logs(&data.path().join("not there")));
        let file = |name: &str, bytes| {
            let file = std::fs::File::create(data.path().join(name)).unwrap();
            file.set_len(bytes).unwrap();
        };
        file("ibdata1", LOGS_MAX * 2);
        file("binlog.000001", LOGS_MAX / 2);
        file("binlog.000002", LOGS_MAX / 2);
        assert!(!has_too_many_logs(data.path()));
        file("binlog.index", 1);
        assert!(has_too_many_logs(data.path()));
    }
}
