//! The audit log.

use aipress_types::TenantUid;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::json_text_or_none;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use crate::records::AuditCursor;
use crate::records::AuditFilter;
use crate::records::AuditInsert;
use crate::records::AuditRecord;
use crate::records::Page;
use crate::records::PageRequest;

reads! {
    /// A page of the audit log, newest first.
    audit_list(
        filter: &AuditFilter,
        page: &PageRequest<AuditCursor>,
    ) -> Page<AuditRecord, AuditCursor>;
}

writes! {
    /// Appends a row, in the transaction of the change that it tells of. Its number.
    audit_append(entry: &AuditInsert) -> u64;
}

fn record(row: &SqliteRow) -> Result<AuditRecord> {
    let columns = Columns::new("audit", row);
    Ok(AuditRecord {
        id: columns.count("id")?,
        entry: AuditInsert {
            at: columns.time("at")?,
            actor: columns.text("actor")?,
            on_behalf_of: columns.text_or_none("on_behalf_of")?,
            action: columns.text("action")?,
            resource_kind: columns.text("resource_kind")?,
            resource_id: columns.text("resource_id")?,
            resource_name: columns.text_or_none("resource_name")?,
            account: columns.parsed_or_none("account")?,
            request_id: columns.text_or_none("request_id")?,
            before: columns.json_or_none("before")?,
            after: columns.json_or_none("after")?,
            reason: columns.text_or_none("reason")?,
            outcome: columns.text("outcome")?,
        },
    })
}

async fn audit_list(
    conn: &mut SqliteConnection,
    filter: &AuditFilter,
    page: &PageRequest<AuditCursor>,
) -> Result<Page<AuditRecord, AuditCursor>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM audit WHERE 1");
    if let Some(accounts) = &filter.accounts {
        query.push(" AND account IN (");
        let mut list = query.separated(", ");
        for account in accounts {
            list.push_bind(account.to_string());
        }
        query.push(")");
    }
    let texts = [
        (" AND resource_kind = ", &filter.resource_kind),
        (" AND resource_id = ", &filter.resource_id),
        (" AND actor = ", &filter.actor),
        (" AND action = ", &filter.action),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition).push_bind(value);
        }
    }
    if let Some(since) = filter.since {
        query.push(" AND at >= ").push_bind(micros(since));
    }
    if let Some(until) = filter.until {
        query.push(" AND at < ").push_bind(micros(until));
    }
    if let Some(cursor) = page.after {
        query.push(" AND id < ").push_bind(number(cursor.id));
    }
    let wanted = page.rows();
    query.push(" ORDER BY id DESC LIMIT ").push_bind(number(wanted as u64 + 1));
    let rows = query.build().fetch_all(conn).await.db()?;
    let items: Vec<AuditRecord> = rows.iter().take(wanted).map(record).collect::<Result<_>>()?;
    let next = items.last().filter(|_| rows.len() > wanted).map(|last| AuditCursor { id: last.id });
    Ok(Page { items, next })
}

async fn audit_append(conn: &mut SqliteConnection, entry: &AuditInsert) -> Result<u64> {
    let done = sqlx::query(
        r#"INSERT INTO audit
               (at, actor, on_behalf_of, action, resource_kind, resource_id, resource_name,
                account, request_id, "before", "after", reason, outcome)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"#,
    )
    .bind(micros(entry.at))
    .bind(&entry.actor)
    .bind(&entry.on_behalf_of)
    .bind(&entry.action)
    .bind(&entry.resource_kind)
    .bind(&entry.resource_id)
    .bind(&entry.resource_name)
    .bind(entry.account.map(|account| account.to_string()))
    .bind(&entry.request_id)
    .bind(json_text_or_none(entry.before.as_ref())?)
    .bind(json_text_or_none(entry.after.as_ref())?)
    .bind(&entry.reason)
    .bind(&entry.outcome)
    .execute(conn)
    .await
    .db()?;
    Ok(u64::try_from(done.last_insert_rowid()).unwrap_or(0))
}

/// Replaces what the log says about a tenant's content by its SHA-256: who did what and when
/// stays, and a copy that somebody kept can still be proved.
pub(super) async fn audit_redact(conn: &mut SqliteConnection, uid: TenantUid) -> Result<()> {
    let rows = sqlx::query(
        r#"SELECT id, "before", "after" FROM audit
           WHERE resource_kind = 'tenant' AND resource_id = ?"#,
    )
    .bind(uid.to_string())
    .fetch_all(&mut *conn)
    .await
    .db()?;
    for row in &rows {
        let columns = Columns::new("audit", row);
        let hashed = |text: Option<String>| {
            text.map(|text| {
                json_text(&json!({ "sha256": hex::encode(Sha256::digest(text.as_bytes())) }))
            })
            .transpose()
        };
        sqlx::query(r#"UPDATE audit SET "before" = ?, "after" = ? WHERE id = ?"#)
            .bind(hashed(columns.text_or_none("before")?)?)
            .bind(hashed(columns.text_or_none("after")?)?)
            .bind(columns.count::<i64>("id")?)
            .execute(&mut *conn)
            .await
            .db()?;
    }
    Ok(())
}
