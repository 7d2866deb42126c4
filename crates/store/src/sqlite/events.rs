//! The outbox.

use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use super::sequences;
use super::sequences::Sequence;
use crate::records::EventFilter;
use crate::records::EventInsert;
use crate::records::EventRecord;
use crate::records::PAGE_MAX;

reads! {
    /// Events after number `id` (0 for all that are kept), oldest first, `limit` (at most
    /// [`PAGE_MAX`]) of them.
    events_after(id: u64, filter: &EventFilter, limit: u32) -> Vec<EventRecord>;
    /// The newest events that fit, oldest first, `limit` (at most [`PAGE_MAX`]) of them.
    events_newest(filter: &EventFilter, limit: u32) -> Vec<EventRecord>;
    /// The last event's number; 0 when there never was one.
    events_last_id() -> u64;
    /// Events up to this number may have been swept; a reader that is behind it has missed some.
    events_floor() -> u64;
}

writes! {
    /// Appends an event, in the transaction of the change that it tells of. Its number.
    event_append(event: &EventInsert) -> u64;
    /// Forgets events older than `before`, oldest first, `limit` of them at most. How many.
    events_sweep(before: OffsetDateTime, limit: u32) -> u64;
    /// Forgets all but the newest `keep` events, oldest first, `limit` of them at most. How many.
    events_sweep_beyond(keep: u64, limit: u32) -> u64;
}

fn event(row: &SqliteRow) -> Result<EventRecord> {
    let columns = Columns::new("events", row);
    Ok(EventRecord {
        id: columns.count("id")?,
        event: EventInsert {
            at: columns.time("at")?,
            kind: columns.text("kind")?,
            tenant: columns.parsed_or_none("tenant")?,
            shard: columns.shard_or_none("shard")?,
            account: columns.parsed_or_none("account")?,
            data: columns.json("data")?,
        },
    })
}

async fn events_after(
    conn: &mut SqliteConnection,
    id: u64,
    filter: &EventFilter,
    limit: u32,
) -> Result<Vec<EventRecord>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM events WHERE id > ");
    query.push_bind(number(id));
    push_filter(&mut query, filter);
    query.push(" ORDER BY id LIMIT ").push_bind(i64::from(limit.clamp(1, PAGE_MAX)));
    let rows = query.build().fetch_all(conn).await.db()?;
    rows.iter().map(event).collect()
}

async fn events_newest(
    conn: &mut SqliteConnection,
    filter: &EventFilter,
    limit: u32,
) -> Result<Vec<EventRecord>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM events WHERE true");
    push_filter(&mut query, filter);
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit.clamp(1, PAGE_MAX)));
    let rows = query.build().fetch_all(conn).await.db()?;
    rows.iter().rev().map(event).collect()
}

/// [`EventFilter::fits`] as conditions.
fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &EventFilter) {
    if let Some(accounts) = &filter.accounts {
        query.push(" AND account IN (");
        let mut list = query.separated(", ");
        for account in accounts {
            list.push_bind(account.to_string());
        }
        query.push(")");
    }
    if let Some(tenant) = filter.tenant {
        query.push(" AND tenant = ").push_bind(tenant.to_string());
    }
    if let Some(shard) = filter.shard {
        query.push(" AND shard = ").push_bind(i64::from(shard.number()));
    }
    for (index, kind) in filter.kinds.iter().enumerate() {
        query.push(if index == 0 { " AND (" } else { " OR " });
        match kind.strip_suffix('*') {
            Some(prefix) => {
                // Characters, as SQLite counts them.
                let length = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
                query.push("substr(kind, 1, ").push_bind(length);
                query.push(") = ").push_bind(prefix.to_owned());
            }
            None => {
                query.push("kind = ").push_bind(kind.clone());
            }
        }
    }
    if !filter.kinds.is_empty() {
        query.push(")");
    }
}

async fn events_last_id(conn: &mut SqliteConnection) -> Result<u64> {
    sequences::last(conn, Sequence::Events).await.map(|(last, _)| last)
}

async fn events_floor(conn: &mut SqliteConnection) -> Result<u64> {
    sequences::last(conn, Sequence::Events).await.map(|(_, floor)| floor)
}

async fn event_append(conn: &mut SqliteConnection, event: &EventInsert) -> Result<u64> {
    let id = sequences::next(conn, Sequence::Events).await?;
    sqlx::query(
        "INSERT INTO events (id, at, kind, tenant, shard, account, data)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(number(id))
    .bind(micros(event.at))
    .bind(&event.kind)
    .bind(event.tenant.map(|uid| uid.to_string()))
    .bind(event.shard.map(|shard| i64::from(shard.number())))
    .bind(event.account.map(|account| account.to_string()))
    .bind(json_text(&event.data)?)
    .execute(conn)
    .await
    .db()?;
    Ok(id)
}

async fn events_sweep(
    conn: &mut SqliteConnection,
    before: OffsetDateTime,
    limit: u32,
) -> Result<u64> {
    let rows = sqlx::query(
        "DELETE FROM events
         WHERE id IN (SELECT id FROM events WHERE at < ? ORDER BY at, id LIMIT ?)
         RETURNING id",
    )
    .bind(micros(before))
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await
    .db()?;
    swept(conn, &rows).await
}

async fn events_sweep_beyond(conn: &mut SqliteConnection, keep: u64, limit: u32) -> Result<u64> {
    // Numbers have no gaps at the newer end, so that they count.
    let last = events_last_id(conn).await?;
    let rows = sqlx::query(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id <= ? ORDER BY id LIMIT ?)
         RETURNING id",
    )
    .bind(number(last.saturating_sub(keep)))
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await
    .db()?;
    swept(conn, &rows).await
}

async fn swept(conn: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<u64> {
    let mut floor = 0;
    for row in rows {
        floor = floor.max(Columns::new("events", row).count("id")?);
    }
    sequences::raise_floor(conn, Sequence::Events, floor).await?;
    Ok(rows.len() as u64)
}
