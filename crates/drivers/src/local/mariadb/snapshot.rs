//! A copy of a site's database on the same server, to go back to when a change of the site fails.
//!
//! The record says `making` before the first statement and `ready` in the transaction that
//! completes the last row; `restoring` before the first table goes back. From there on the tables
//! that are still in the copy are those that have not gone back, so that a restore that was killed
//! goes on where it was. The copy is out of the tenant's reach.
//!
//! Each table is held in place while it is read, or a view might stand there by then. Tables are
//! copied by their own definitions, so that keys of all kinds come along. Views and routines stay
//! where they are and are not copied: no upgrade of WordPress has any.

use std::collections::BTreeSet;

use aipress_types::TenantUid;
use sqlx::AssertSqlSafe;
use sqlx::MySqlConnection;

use super::COPY_LIMIT;
use super::MariaDb;
use super::execute;
use super::hold;
use super::hold::Holder;
use super::lock;
use super::names::identifier;
use super::names::literal;
use super::record;
use super::sql_error;
use super::template::CHARSET;
use crate::Ensured;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// What names of copies begin with.
const PREFIX: &str = "aipress_snap_";

/// Engines whose tables are whole once their rows are copied.
const ENGINES: &[&str] = &["InnoDB", "MyISAM", "Aria", "MEMORY"];

/// The record's table; newer than those of `record`, and so made where it is needed.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS aipress.snapshots (
  db VARCHAR(64) NOT NULL PRIMARY KEY,
  uid CHAR(36) NOT NULL,
  state VARCHAR(16) NOT NULL,
  tables LONGTEXT NOT NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;";

/// Name of a tenant's copy.
fn name(uid: TenantUid) -> String {
    format!("{PREFIX}{}", uid.0.simple())
}

/// Copies the database; one that is complete is kept.
pub(crate) async fn make(
    driver: &MariaDb,
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Ensured, DriverError> {
    let (what, site, copy) = begin(session, uid, "keep a copy of").await?;
    match state(session, &copy).await?.as_deref() {
        Some("ready") => return Ok(Ensured::Kept),
        Some("restoring") => {
            return Err(DriverError::conflict(
                what,
                "the copy is being put back: restore it first",
            ));
        }
        _ => {}
    }
    execute(session, &what, &drop_statements(&copy)).await?;
    let tables = record::tables(session, &site).await?;
    if tables.is_empty() {
        return Err(DriverError::conflict(what, "it has no tables"));
    }
    check(session, &site, &what).await?;
    execute(
        session,
        &what,
        &format!(
            "INSERT INTO aipress.snapshots (db, uid, state, tables) VALUES ({}, {}, 'making', {});\
             CREATE DATABASE {} {CHARSET};\
             SET SESSION foreign_key_checks=0, max_statement_time={};",
            literal(&copy),
            literal(&uid.to_string()),
            literal(&serde_json::to_string(&tables).unwrap_or_default()),
            identifier(&copy),
            COPY_LIMIT.as_secs(),
        ),
    )
    .await?;
    execute(session, &what, &format!("USE {}", identifier(&copy))).await?;
    let mut holder = Holder::open(driver, &what).await?;
    for table in &tables {
        let definition = holder.hold(&site, table).await?;
        if !hold::is_plain(&definition) {
            let detail = format!("its table {table} has options that this server does not know");
            return Err(DriverError::conflict(what, detail));
        }
        // Prepared: such a text is one statement, or an error.
        sqlx::query(AssertSqlSafe(definition))
            .persistent(false)
            .execute(&mut *session)
            .await
            .map_err(|error| sql_error(&what, error))?;
    }
    execute(session, &what, "BEGIN").await?;
    for table in &tables {
        holder.hold(&site, table).await?;
        let columns = columns(session, &site, table, &what).await?;
        let (to, from, table) = (identifier(&copy), identifier(&site), identifier(table));
        let rows =
            format!("INSERT INTO {to}.{table} ({columns}) SELECT {columns} FROM {from}.{table}");
        execute(session, &what, &rows).await?;
    }
    execute(session, &what, &format!("{}COMMIT;", set_state(&copy, "ready"))).await?;
    Ok(Ensured::Created)
}

/// Puts the copy in the place of what is there. `Kept` when there is no copy (any more).
pub(crate) async fn restore(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Ensured, DriverError> {
    let (what, site, copy) = begin(session, uid, "put back").await?;
    match state(session, &copy).await?.as_deref() {
        Some("ready" | "restoring") => {}
        Some(_) | None => return Ok(Ensured::Kept),
    }
    let names: String = sqlx::query_scalar("SELECT tables FROM aipress.snapshots WHERE db = ?")
        .bind(&copy)
        .fetch_one(&mut *session)
        .await
        .map_err(|error| sql_error(&what, error))?;
    let kept: BTreeSet<String> = serde_json::from_str(&names)
        .map_err(|error| DriverError::conflict(&what, format!("its list of tables: {error}")))?;
    execute(session, &what, &set_state(&copy, "restoring")).await?;
    execute(session, &what, "SET SESSION foreign_key_checks=0").await?;
    let (to, from) = (identifier(&site), identifier(&copy));
    for table in record::tables(session, &site).await? {
        if !kept.contains(&table) {
            execute(session, &what, &format!("DROP TABLE {to}.{}", identifier(&table))).await?;
        }
    }
    for table in record::tables(session, &copy).await? {
        let table = identifier(&table);
        let back = format!(
            "DROP TABLE IF EXISTS {to}.{table};RENAME TABLE {from}.{table} TO {to}.{table};"
        );
        execute(session, &what, &back).await?;
    }
    execute(session, &what, &drop_statements(&copy)).await?;
    Ok(Ensured::Repaired)
}

/// Removes the copy. One that is on its way back is not removed.
pub(crate) async fn remove(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Ensured, DriverError> {
    let (what, _, copy) = begin(session, uid, "remove the copy of").await?;
    match state(session, &copy).await?.as_deref() {
        None => Ok(Ensured::Kept),
        Some("restoring") => Err(DriverError::conflict(what, "the copy is being put back")),
        Some(_) => {
            execute(session, &what, &drop_statements(&copy)).await?;
            Ok(Ensured::Repaired)
        }
    }
}

/// Statements that remove a tenant's copy whatever state it is in; for erasing.
pub(crate) async fn erase_statements(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<String, DriverError> {
    execute(session, "make the platform's record", SCHEMA).await?;
    Ok(drop_statements(&name(uid)))
}

/// Copies with their tenants, for the inventory.
pub(crate) async fn list(
    session: &mut MySqlConnection,
) -> Result<Vec<(String, String)>, DriverError> {
    execute(session, "make the platform's record", SCHEMA).await?;
    sqlx::query_as("SELECT db, uid FROM aipress.snapshots")
        .fetch_all(session)
        .await
        .map_err(|error| sql_error("read the platform's record", error))
}

async fn begin(
    session: &mut MySqlConnection,
    uid: TenantUid,
    verb: &str,
) -> Result<(String, String, String), DriverError> {
    let site = tenant_handle(uid);
    let what = format!("{verb} database {site}");
    record::ensure_schema(session).await?;
    execute(session, &what, SCHEMA).await?;
    lock(session, &what, &format!("snapshot:{uid}")).await?;
    Ok((what, site, name(uid)))
}

async fn state(session: &mut MySqlConnection, copy: &str) -> Result<Option<String>, DriverError> {
    sqlx::query_scalar("SELECT state FROM aipress.snapshots WHERE db = ?")
        .bind(copy)
        .fetch_optional(session)
        .await
        .map_err(|error| sql_error("read the platform's record", error))
}

/// Refuses what a copy of tables would lose.
async fn check(session: &mut MySqlConnection, site: &str, what: &str) -> Result<(), DriverError> {
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT CONVERT(TABLE_NAME USING utf8mb4), CONVERT(ENGINE USING utf8mb4) \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE'",
    )
    .bind(site)
    .fetch_all(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    for (table, engine) in rows {
        let engine = engine.unwrap_or_default();
        if !ENGINES.contains(&engine.as_str()) {
            let detail = format!("its table {table} is of the engine `{engine}`, not InnoDB");
            return Err(DriverError::conflict(what, detail));
        }
    }
    let triggers: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?",
    )
    .bind(site)
    .fetch_one(session)
    .await
    .map_err(|error| sql_error(what, error))?;
    if triggers > 0 {
        return Err(DriverError::conflict(what, "it has triggers, which a copy would lose"));
    }
    Ok(())
}

/// Columns that have values of their own, for SQL.
async fn columns(
    session: &mut MySqlConnection,
    database: &str,
    table: &str,
    what: &str,
) -> Result<String, DriverError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT CONVERT(COLUMN_NAME USING utf8mb4) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND IS_GENERATED = 'NEVER' \
         ORDER BY ORDINAL_POSITION",
    )
    .bind(database)
    .bind(table)
    .fetch_all(session)
    .await
    .map_err(|error| sql_error(what, error))?;
    Ok(names.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(","))
}

fn set_state(copy: &str, state: &str) -> String {
    format!("UPDATE aipress.snapshots SET state={} WHERE db={};", literal(state), literal(copy))
}

fn drop_statements(copy: &str) -> String {
    format!(
        "DROP DATABASE IF EXISTS {};DELETE FROM aipress.snapshots WHERE db={};",
        identifier(copy),
        literal(copy)
    )
}
