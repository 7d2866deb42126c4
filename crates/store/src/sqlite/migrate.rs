//! Brings the schema up to date, by checked-in files, all or nothing.
//! Forward only: a newer schema than this binary knows is refused, an applied file that was edited
//! since, too.

use sha2::Digest;
use sha2::Sha256;
use sqlx::Connection;
use sqlx::Row;
use sqlx::SqliteConnection;

use super::Result;
use super::audit_chain;
use super::result_codes::Db;
use crate::error::StoreError;

/// Every migration, in order; the version is the place in this list, from 1.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_registry", include_str!("../../migrations/sqlite/0001_registry.sql")),
    (
        "0002_metadata_and_lists",
        include_str!("../../migrations/sqlite/0002_metadata_and_lists.sql"),
    ),
    ("0003_webhooks", include_str!("../../migrations/sqlite/0003_webhooks.sql")),
    (
        "0004_tenant_inventories",
        include_str!("../../migrations/sqlite/0004_tenant_inventories.sql"),
    ),
    ("0005_packages", include_str!("../../migrations/sqlite/0005_packages.sql")),
    ("0006_exports", include_str!("../../migrations/sqlite/0006_exports.sql")),
    ("0007_imports", include_str!("../../migrations/sqlite/0007_imports.sql")),
    ("0010_list_plans", include_str!("../../migrations/sqlite/0010_list_plans.sql")),
    (audit_chain::MIGRATION, include_str!("../../migrations/sqlite/0025_audit_chain.sql")),
];

/// Applies what is missing.
pub(super) async fn run(conn: &mut SqliteConnection) -> Result<()> {
    run_list(conn, MIGRATIONS).await
}

async fn run_list(
    conn: &mut SqliteConnection,
    migrations: &[(&'static str, &'static str)],
) -> Result<()> {
    // A look without the write lock first: opening an up-to-date registry waits for nobody.
    if applied(conn, migrations).await? == migrations.len() {
        return Ok(());
    }
    // Then again with the lock, so that two processes that start at once do not both apply it.
    let mut txn = conn.begin_with("BEGIN IMMEDIATE").await.db()?;
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL
        ) STRICT",
    )
    .execute(&mut *txn)
    .await
    .db()?;
    let done = applied(&mut txn, migrations).await?;
    for (place, (name, sql)) in migrations.iter().enumerate().skip(done) {
        sqlx::raw_sql(*sql).execute(&mut *txn).await.db()?;
        if *name == audit_chain::MIGRATION {
            // SQLite has no SHA-256.
            audit_chain::link_all(&mut txn).await?;
        }
        sqlx::query("INSERT INTO schema_migrations (version, name, sha256) VALUES (?, ?, ?)")
            .bind(i64::try_from(place + 1).unwrap_or(i64::MAX))
            .bind(*name)
            .bind(digest(sql))
            .execute(&mut *txn)
            .await
            .db()?;
        tracing::info!(migration = name, "registry schema brought up to date");
    }
    txn.commit().await.db()
}

/// How many of the migrations are applied; an error when others are.
async fn applied(conn: &mut SqliteConnection, migrations: &[(&str, &str)]) -> Result<usize> {
    let any: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations')",
    )
    .fetch_one(&mut *conn)
    .await
    .db()?;
    if !any {
        return Ok(0);
    }
    let rows = sqlx::query("SELECT version, sha256 FROM schema_migrations ORDER BY version")
        .fetch_all(conn)
        .await
        .db()?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    for (place, row) in rows.iter().enumerate() {
        let version: i64 = row.try_get(0).db()?;
        let sha256: String = row.try_get(1).db()?;
        if version > known {
            return Err(StoreError::SchemaTooNew { found: version, known });
        }
        let expected = migrations.get(place).map(|(_, sql)| digest(sql));
        if usize::try_from(version) != Ok(place + 1) || expected != Some(sha256) {
            let context = format!("schema_migrations: version {version} is not the one known here");
            return Err(StoreError::Corrupt { context, source: None });
        }
    }
    Ok(rows.len())
}

fn digest(sql: &str) -> String {
    hex::encode(Sha256::digest(sql.as_bytes()))
}

#[cfg(test)]
mod tests;
