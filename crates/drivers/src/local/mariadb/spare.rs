//! Copies of a template made in advance. A site that takes one renames twelve tables (65 syncs to
//! disk) where a clone makes and fills them (173).

use sqlx::MySqlConnection;

use super::execute;
use super::lock;
use super::names::identifier;
use super::names::literal;
use super::record;
use super::room;
use super::sql_error;
use super::template;
use super::template::CHARSET;
use super::template::Template;
use crate::Ensured;
use crate::error::DriverError;

/// What names of spare databases begin with.
pub(crate) const SPARE_PREFIX: &str = "aipress_spare_";

/// Makes one spare when there are fewer than `count`, and drops those that no site will take.
pub(crate) async fn ensure(
    session: &mut MySqlConnection,
    core_version: &str,
    count: u32,
) -> Result<Ensured, DriverError> {
    let what = "prepare a database";
    record::ensure_schema(session).await?;
    lock(session, what, "spare").await?;
    let template = template::current(session, core_version).await?;
    drop_useless(session).await?;
    let ready: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM aipress.spares WHERE state = 'ready' AND template_db = ?",
    )
    .bind(&template.database)
    .fetch_one(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    if ready >= i64::from(count) {
        return Ok(Ensured::Kept);
    }
    room::check(session, what).await?;
    let suffix = aipress_kit::random::alphanumeric(16)
        .map_err(|error| DriverError::failed(what, error))?
        .to_ascii_lowercase();
    let database = format!("{SPARE_PREFIX}{suffix}");
    let mut statements = format!(
        "INSERT INTO aipress.spares (db, template_db, state) VALUES ({}, {}, 'making');",
        literal(&database),
        literal(&template.database)
    );
    statements.push_str(&create_tables(&template, &database));
    statements.push_str("BEGIN;");
    statements.push_str(&copy_rows(&template, &database));
    statements.push_str(&format!(
        "UPDATE aipress.spares SET state='ready' WHERE db={};COMMIT;",
        literal(&database)
    ));
    execute(session, what, &statements).await?;
    Ok(Ensured::Created)
}

/// Makes the database and its empty tables.
pub(crate) fn create_tables(template: &Template, database: &str) -> String {
    let mut statements = format!("CREATE DATABASE {} {CHARSET};", identifier(database));
    for table in &template.tables {
        statements.push_str(&format!(
            "CREATE TABLE {db}.{table} LIKE {from}.{table};",
            db = identifier(database),
            from = identifier(&template.database),
            table = identifier(table)
        ));
    }
    statements
}

/// Fills the tables; part of a transaction.
pub(crate) fn copy_rows(template: &Template, database: &str) -> String {
    let mut statements = String::new();
    for table in &template.tables {
        statements.push_str(&format!(
            "INSERT INTO {db}.{table} SELECT * FROM {from}.{table};",
            db = identifier(database),
            from = identifier(&template.database),
            table = identifier(table)
        ));
    }
    statements
}

/// Drops spares that are half-made, of a template that is not current, or emptied by their site.
/// One that is being used (its site is being made) stays.
async fn drop_useless(session: &mut MySqlConnection) -> Result<(), DriverError> {
    let what = "drop old spares";
    let old: Vec<String> = sqlx::query_scalar(
        "SELECT s.db FROM aipress.spares s \
         LEFT JOIN aipress.templates t ON t.db = s.template_db AND t.state = 'ready' \
         LEFT JOIN aipress.sites m ON m.uid = s.taken_by AND m.state = 'making' \
         WHERE s.state = 'making' OR (s.state = 'ready' AND t.db IS NULL) \
         OR (s.state = 'taken' AND m.uid IS NULL)",
    )
    .fetch_all(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    for database in old {
        execute(session, what, &drop_statements(&database)).await?;
    }
    Ok(())
}

/// Drops a spare and its record.
pub(crate) fn drop_statements(database: &str) -> String {
    format!(
        "DROP DATABASE IF EXISTS {};DELETE FROM aipress.spares WHERE db={};",
        identifier(database),
        literal(database)
    )
}
