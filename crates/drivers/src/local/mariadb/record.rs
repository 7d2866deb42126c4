//! What the platform remembers in the server about the databases that it made: the database
//! `aipress`, which no tenant's grant reaches. Written before and after the work that it is about.

use aipress_types::TenantUid;
use sqlx::MySqlConnection;

use super::execute;
use super::names::literal;
use super::sql_error;
use crate::database::SiteState;
use crate::error::DriverError;

/// The platform's database.
pub(crate) const RECORD_DATABASE: &str = "aipress";

const SCHEMA: &str = "
CREATE DATABASE IF NOT EXISTS aipress CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS aipress.templates (
  db VARCHAR(64) NOT NULL PRIMARY KEY,
  core_version VARCHAR(32) NOT NULL,
  revision VARCHAR(128) NOT NULL,
  state VARCHAR(16) NOT NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS aipress.spares (
  db VARCHAR(64) NOT NULL PRIMARY KEY,
  template_db VARCHAR(64) NOT NULL,
  state VARCHAR(16) NOT NULL,
  taken_by CHAR(36) NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS aipress.sites (
  uid CHAR(36) NOT NULL PRIMARY KEY,
  db VARCHAR(64) NOT NULL,
  core_version VARCHAR(32) NOT NULL,
  state VARCHAR(16) NOT NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;
";

/// Makes the record's tables where they are missing. The last one made is the one looked for.
pub(crate) async fn ensure_schema(session: &mut MySqlConnection) -> Result<(), DriverError> {
    let what = "make the platform's record";
    if has_table(session, RECORD_DATABASE, "sites").await? {
        return Ok(());
    }
    execute(session, what, SCHEMA).await.map(drop)
}

/// Whether a table exists.
pub(crate) async fn has_table(
    session: &mut MySqlConnection,
    database: &str,
    table: &str,
) -> Result<bool, DriverError> {
    Ok(tables(session, database).await?.iter().any(|name| name == table))
}

/// The tables of a database; none when it does not exist.
pub(crate) async fn tables(
    session: &mut MySqlConnection,
    database: &str,
) -> Result<Vec<String>, DriverError> {
    sqlx::query_scalar(
        "SELECT CONVERT(TABLE_NAME USING utf8mb4) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME",
    )
    .bind(database)
    .fetch_all(session)
    .await
    .map_err(|error| sql_error("list tables", error))
}

/// Whether a database exists.
pub(crate) async fn has_database(
    session: &mut MySqlConnection,
    database: &str,
) -> Result<bool, DriverError> {
    sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?",
    )
    .bind(database)
    .fetch_one(session)
    .await
    .map(|count| count > 0)
    .map_err(|error| sql_error("look for database", error))
}

/// A site's recorded state.
pub(crate) async fn site_state(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Option<SiteState>, DriverError> {
    let what = "read the platform's record";
    let word: Option<String> = sqlx::query_scalar("SELECT state FROM aipress.sites WHERE uid = ?")
        .bind(uid.to_string())
        .fetch_optional(session)
        .await
        .map_err(|error| sql_error(what, error))?;
    word.map(|word| {
        SiteState::parse(&word).ok_or_else(|| {
            DriverError::conflict(what, format!("site {uid} has the unknown state `{word}`"))
        })
    })
    .transpose()
}

/// The statement that sets a site's state; part of a larger packet.
pub(crate) fn set_site_state(uid: TenantUid, state: SiteState) -> String {
    format!(
        "UPDATE aipress.sites SET state={} WHERE uid={};",
        literal(state.as_str()),
        literal(&uid.to_string())
    )
}
