//! The audit log.

use aipress_types::TenantUid;
use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::Result;
use super::audit_chain;
use super::audit_chain::Fixed;
use super::audit_chain::Payload;
use super::columns::Columns;
use super::columns::json_text_or_none;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use crate::records::AUDIT_SEARCHED;
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
            plan: columns.text_or_none("plan")?,
            before: columns.json_or_none("before")?,
            after: columns.json_or_none("after")?,
            reason: columns.text_or_none("reason")?,
            outcome: columns.text("outcome")?,
        },
        seq: columns.count("seq")?,
        salt: columns.blob_or_none("salt")?,
        payload_sha256: columns.blob("payload_sha256")?,
        link: columns.blob("link")?,
    })
}

async fn audit_list(
    conn: &mut SqliteConnection,
    filter: &AuditFilter,
    page: &PageRequest<AuditCursor>,
) -> Result<Page<AuditRecord, AuditCursor>> {
    let wanted = page.rows();
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM ");
    // A text is looked for in so many rows only: a page never takes all of a large log.
    query.push(if filter.text.is_some() {
        "(SELECT * FROM audit WHERE 1"
    } else {
        "audit WHERE 1"
    });
    push_filter(&mut query, filter, page.after);
    query.push(" ORDER BY id DESC LIMIT ");
    if let Some(text) = &filter.text {
        query.push_bind(i64::from(AUDIT_SEARCHED)).push(") WHERE instr(lower(");
        query.push(r#"concat_ws(char(10), resource_name, "before", "after", reason)), "#);
        query.push_bind(text.to_ascii_lowercase()).push(") > 0 ORDER BY id DESC LIMIT ");
    }
    query.push_bind(number(wanted as u64 + 1));
    let rows = query.build().fetch_all(&mut *conn).await.db()?;
    let items: Vec<AuditRecord> = rows.iter().take(wanted).map(record).collect::<Result<_>>()?;
    let next = match items.last().filter(|_| rows.len() > wanted) {
        Some(last) => Some(AuditCursor { id: last.id }),
        None if filter.text.is_some() => searched_to(conn, filter, page.after).await?,
        None => None,
    };
    Ok(Page { items, next })
}

/// Where the search for a text stopped; `None` at the oldest row.
async fn searched_to(
    conn: &mut SqliteConnection,
    filter: &AuditFilter,
    after: Option<AuditCursor>,
) -> Result<Option<AuditCursor>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM audit WHERE 1");
    push_filter(&mut query, filter, after);
    query.push(" ORDER BY id DESC LIMIT 1 OFFSET ").push_bind(i64::from(AUDIT_SEARCHED) - 1);
    let last = query.build().fetch_optional(conn).await.db()?;
    last.map(|row| Ok(AuditCursor { id: Columns::new("audit", &row).count("id")? })).transpose()
}

/// Every condition but the text.
fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &AuditFilter, after: Option<AuditCursor>) {
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
        (" AND request_id = ", &filter.request_id),
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
    if let Some(cursor) = after {
        query.push(" AND id < ").push_bind(number(cursor.id));
    }
}

async fn audit_append(conn: &mut SqliteConnection, entry: &AuditInsert) -> Result<u64> {
    let chain = audit_chain::chain_of(entry.account);
    // In the transaction of the change, which is the only one that writes: nobody else takes this
    // place meanwhile.
    let head = audit_chain::head(conn, &chain).await?;
    // Version 4: 122 random bits.
    let salt = Uuid::new_v4().into_bytes();
    let before = json_text_or_none(entry.before.as_ref())?;
    let after = json_text_or_none(entry.after.as_ref())?;
    let payload_sha256 = Payload {
        salt: &salt,
        resource_name: entry.resource_name.as_deref().map(str::as_bytes),
        before: before.as_deref().map(str::as_bytes),
        after: after.as_deref().map(str::as_bytes),
        reason: entry.reason.as_deref().map(str::as_bytes),
    }
    .sha256();
    let seq = head.seq + 1;
    let link = Fixed {
        chain: chain.as_bytes(),
        seq,
        at: micros(entry.at),
        actor: entry.actor.as_bytes(),
        on_behalf_of: entry.on_behalf_of.as_deref().map(str::as_bytes),
        action: entry.action.as_bytes(),
        resource_kind: entry.resource_kind.as_bytes(),
        resource_id: entry.resource_id.as_bytes(),
        request_id: entry.request_id.as_deref().map(str::as_bytes),
        plan: entry.plan.as_deref().map(str::as_bytes),
        outcome: entry.outcome.as_bytes(),
        payload_sha256,
    }
    .link(&head.link);
    let done = sqlx::query(
        r#"INSERT INTO audit
               (at, actor, on_behalf_of, action, resource_kind, resource_id, resource_name,
                account, request_id, plan, "before", "after", reason, outcome,
                seq, salt, payload_sha256, link)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"#,
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
    .bind(&entry.plan)
    .bind(before)
    .bind(after)
    .bind(&entry.reason)
    .bind(&entry.outcome)
    .bind(number(seq))
    .bind(&salt[..])
    .bind(&payload_sha256[..])
    .bind(&link[..])
    .execute(&mut *conn)
    .await
    .db()?;
    audit_chain::head_put(conn, &chain, seq, &link).await?;
    Ok(u64::try_from(done.last_insert_rowid()).unwrap_or(0))
}

/// Removes what the log says about a tenant's content, and the salt, so that nobody can guess it
/// from the hash that stays: who did what and when remains, and the chain holds.
pub(super) async fn audit_redact(conn: &mut SqliteConnection, uid: TenantUid) -> Result<()> {
    sqlx::query(
        r#"UPDATE audit
           SET resource_name = NULL, "before" = NULL, "after" = NULL, reason = NULL, salt = NULL
           WHERE resource_kind = 'tenant' AND resource_id = ?"#,
    )
    .bind(uid.to_string())
    .execute(conn)
    .await
    .db()
    .map(drop)
}
