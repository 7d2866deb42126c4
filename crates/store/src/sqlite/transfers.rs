//! Exports and imports.

use aipress_types::TenantUid;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::json_text_or_none;
use super::columns::micros;
use super::result_codes::Db;
use crate::error::StoreError;
use crate::records::ExportRecord;
use crate::records::ExportState;
use crate::records::ImportRecord;
use crate::records::ImportState;

reads! {
    /// The export of this id.
    export_fetch(id: Uuid) -> Option<ExportRecord>;
    /// Exports that are being written, oldest first, at most 1,000.
    exports_running() -> Vec<ExportRecord>;
    /// The import of this id.
    import_fetch(id: Uuid) -> Option<ImportRecord>;
    /// The import that a tenant is being made of.
    import_building_of(tenant: TenantUid) -> Option<ImportRecord>;
    /// Imports in a state, oldest first, at most 1,000.
    imports_in(state: ImportState) -> Vec<ImportRecord>;
}

writes! {
    /// Keeps an export; one of the same id is replaced.
    export_put(export: &ExportRecord) -> ();
    /// Keeps an import; one of the same id is replaced.
    import_put(import: &ImportRecord) -> ();
    /// Forgets exports whose spools are gone, and imports that are over, since `now`; how many.
    transfers_sweep(now: OffsetDateTime) -> u64;
    /// Forgets an import.
    import_remove(id: Uuid) -> ();
}

fn export(row: &SqliteRow) -> Result<ExportRecord> {
    let columns = Columns::new("exports", row);
    let state = columns.text("state")?;
    Ok(ExportRecord {
        id: columns.parsed("id")?,
        tenant: columns.parsed("tenant")?,
        tenant_name: columns.text("tenant_name")?,
        account: columns.parsed("account")?,
        actor: columns.text("actor")?,
        shard: columns.shard("shard")?,
        operation: columns.parsed_or_none("operation")?,
        state: ExportState::parse(&state)
            .ok_or_else(|| StoreError::corrupt("exports.state", format!("`{state}`")))?,
        status: columns.json("status")?,
        created_at: columns.time("created_at")?,
        finished_at: columns.time_or_none("finished_at")?,
        expires_at: columns.time("expires_at")?,
    })
}

fn import(row: &SqliteRow) -> Result<ImportRecord> {
    let columns = Columns::new("imports", row);
    let state = columns.text("state")?;
    Ok(ImportRecord {
        id: columns.parsed("id")?,
        account: columns.parsed("account")?,
        actor: columns.text("actor")?,
        name: columns.text("name")?,
        spec: columns.json_or_none("spec")?,
        state: ImportState::parse(&state)
            .ok_or_else(|| StoreError::corrupt("imports.state", format!("`{state}`")))?,
        source: columns.parsed_or_none("source")?,
        report: columns.json_or_none("report")?,
        wordpress_version: columns.text_or_none("wordpress_version")?,
        tenant: columns.parsed_or_none("tenant")?,
        operation: columns.parsed_or_none("operation")?,
        message: columns.text_or_none("message")?,
        created_at: columns.time("created_at")?,
        expires_at: columns.time("expires_at")?,
    })
}

async fn export_fetch(conn: &mut SqliteConnection, id: Uuid) -> Result<Option<ExportRecord>> {
    let row = sqlx::query("SELECT * FROM exports WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.as_ref().map(export).transpose()
}

async fn exports_running(conn: &mut SqliteConnection) -> Result<Vec<ExportRecord>> {
    let rows =
        sqlx::query("SELECT * FROM exports WHERE state = 'running' ORDER BY created_at LIMIT 1000")
            .fetch_all(conn)
            .await
            .db()?;
    rows.iter().map(export).collect()
}

async fn import_fetch(conn: &mut SqliteConnection, id: Uuid) -> Result<Option<ImportRecord>> {
    let row = sqlx::query("SELECT * FROM imports WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.as_ref().map(import).transpose()
}

async fn import_building_of(
    conn: &mut SqliteConnection,
    tenant: TenantUid,
) -> Result<Option<ImportRecord>> {
    let row = sqlx::query("SELECT * FROM imports WHERE tenant = ? AND state = 'building' LIMIT 1")
        .bind(tenant.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.as_ref().map(import).transpose()
}

async fn imports_in(conn: &mut SqliteConnection, state: ImportState) -> Result<Vec<ImportRecord>> {
    let rows = sqlx::query("SELECT * FROM imports WHERE state = ? ORDER BY created_at LIMIT 1000")
        .bind(state.as_str())
        .fetch_all(conn)
        .await
        .db()?;
    rows.iter().map(import).collect()
}

async fn export_put(conn: &mut SqliteConnection, export: &ExportRecord) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO exports (id, tenant, tenant_name, account, actor, shard, operation,
            state, status, created_at, finished_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(export.id.to_string())
    .bind(export.tenant.to_string())
    .bind(&export.tenant_name)
    .bind(export.account.to_string())
    .bind(&export.actor)
    .bind(i64::from(export.shard.number()))
    .bind(export.operation.map(|id| id.to_string()))
    .bind(export.state.as_str())
    .bind(json_text(&export.status)?)
    .bind(micros(export.created_at))
    .bind(export.finished_at.map(micros))
    .bind(micros(export.expires_at))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn import_put(conn: &mut SqliteConnection, import: &ImportRecord) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO imports (id, account, actor, name, spec, state, source, report,
            wordpress_version, tenant, operation, message, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(import.id.to_string())
    .bind(import.account.to_string())
    .bind(&import.actor)
    .bind(&import.name)
    .bind(json_text_or_none(import.spec.as_ref())?)
    .bind(import.state.as_str())
    .bind(import.source.map(|id| id.to_string()))
    .bind(json_text_or_none(import.report.as_ref())?)
    .bind(&import.wordpress_version)
    .bind(import.tenant.map(|uid| uid.to_string()))
    .bind(import.operation.map(|id| id.to_string()))
    .bind(&import.message)
    .bind(micros(import.created_at))
    .bind(micros(import.expires_at))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn transfers_sweep(conn: &mut SqliteConnection, now: OffsetDateTime) -> Result<u64> {
    let exports = sqlx::query("DELETE FROM exports WHERE expires_at < ? AND state <> 'running'")
        .bind(micros(now))
        .execute(&mut *conn)
        .await
        .db()?;
    let imports = sqlx::query(
        "DELETE FROM imports WHERE expires_at < ? AND state NOT IN ('building', 'removing')",
    )
    .bind(micros(now))
    .execute(conn)
    .await
    .db()?;
    Ok(exports.rows_affected() + imports.rows_affected())
}

async fn import_remove(conn: &mut SqliteConnection, id: Uuid) -> Result<()> {
    sqlx::query("DELETE FROM imports WHERE id = ?")
        .bind(id.to_string())
        .execute(conn)
        .await
        .db()
        .map(drop)
}
