//! Deliveries to webhooks: what is to be sent, in order, and what became of it.

use aipress_types::DeliveryId;
use aipress_types::WebhookId;
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
use crate::records::DeliveryFilter;
use crate::records::DeliveryRecord;
use crate::records::Page;
use crate::records::PageRequest;
use crate::records::TimeCursor;

reads! {
    /// The delivery of this id.
    delivery_fetch(id: DeliveryId) -> Option<DeliveryRecord>;
    /// Deliveries of a webhook, newest first.
    delivery_list(
        filter: &DeliveryFilter,
        page: &PageRequest<TimeCursor>,
    ) -> Page<DeliveryRecord, TimeCursor>;
    /// What is to be sent to a webhook now: the oldest that was tried less than `blocking` times,
    /// if it is due (what comes after it waits); else one that was tried more often and is due.
    delivery_next(webhook: WebhookId, now: OffsetDateTime, blocking: u32)
        -> Option<DeliveryRecord>;
    /// Deliveries of a webhook that are not finished.
    deliveries_pending(webhook: WebhookId) -> u64;
    /// Webhooks that are not paused and have something due, `limit` of them.
    deliveries_due(now: OffsetDateTime, limit: u32) -> Vec<WebhookId>;
}

writes! {
    /// Makes a delivery, or writes anew what changes of one.
    delivery_put(delivery: &DeliveryRecord) -> ();
    /// Forgets deliveries that were made before `before` and are finished, or whose webhook is
    /// paused; `limit` at most. How many.
    deliveries_sweep(before: OffsetDateTime, limit: u32) -> u64;
}

fn record(row: &SqliteRow) -> Result<DeliveryRecord> {
    let columns = Columns::new("webhook_deliveries", row);
    Ok(DeliveryRecord {
        id: columns.parsed("id")?,
        webhook: columns.parsed("webhook")?,
        event: columns.count_or_none("event")?,
        kind: columns.text("kind")?,
        body: columns.text("body")?,
        state: columns.word("state")?,
        attempts: columns.count("attempts")?,
        next_at: columns.time_or_none("next_at")?,
        log: columns.json("log")?,
        created_at: columns.time("created_at")?,
        finished_at: columns.time_or_none("finished_at")?,
    })
}

async fn delivery_fetch(
    conn: &mut SqliteConnection,
    id: DeliveryId,
) -> Result<Option<DeliveryRecord>> {
    let row = sqlx::query("SELECT * FROM webhook_deliveries WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.as_ref().map(record).transpose()
}

async fn delivery_list(
    conn: &mut SqliteConnection,
    filter: &DeliveryFilter,
    page: &PageRequest<TimeCursor>,
) -> Result<Page<DeliveryRecord, TimeCursor>> {
    let mut query =
        QueryBuilder::<Sqlite>::new("SELECT * FROM webhook_deliveries WHERE webhook = ");
    query.push_bind(filter.webhook.to_string());
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(after) = &page.after {
        // The time in the cursor is only for its form: the order is that of the making.
        query.push(" AND seq < (SELECT seq FROM webhook_deliveries WHERE id = ");
        query.push_bind(after.id.clone()).push(")");
    }
    let wanted = page.rows();
    query.push(" ORDER BY seq DESC LIMIT ").push_bind(number(wanted as u64 + 1));
    let rows = query.build().fetch_all(conn).await.db()?;
    let items: Vec<DeliveryRecord> = rows.iter().take(wanted).map(record).collect::<Result<_>>()?;
    let next = items
        .last()
        .filter(|_| rows.len() > wanted)
        .map(|last| TimeCursor { at_us: micros(last.created_at), id: last.id.to_string() });
    Ok(Page { items, next })
}

async fn delivery_next(
    conn: &mut SqliteConnection,
    webhook: WebhookId,
    now: OffsetDateTime,
    blocking: u32,
) -> Result<Option<DeliveryRecord>> {
    let head = sqlx::query(
        "SELECT * FROM webhook_deliveries
         WHERE webhook = ? AND state = 'pending' AND attempts < ? ORDER BY seq LIMIT 1",
    )
    .bind(webhook.to_string())
    .bind(i64::from(blocking))
    .fetch_optional(&mut *conn)
    .await
    .db()?;
    let head = head.as_ref().map(record).transpose()?;
    if let Some(head) = head.filter(|head| head.next_at.is_some_and(|at| at <= now)) {
        return Ok(Some(head));
    }
    let late = sqlx::query(
        "SELECT * FROM webhook_deliveries
         WHERE webhook = ? AND state = 'pending' AND attempts >= ? AND next_at <= ?
         ORDER BY next_at LIMIT 1",
    )
    .bind(webhook.to_string())
    .bind(i64::from(blocking))
    .bind(micros(now))
    .fetch_optional(conn)
    .await
    .db()?;
    late.as_ref().map(record).transpose()
}

async fn deliveries_pending(conn: &mut SqliteConnection, webhook: WebhookId) -> Result<u64> {
    let row = sqlx::query(
        "SELECT count(*) AS pending FROM webhook_deliveries
         WHERE webhook = ? AND state = 'pending'",
    )
    .bind(webhook.to_string())
    .fetch_one(conn)
    .await
    .db()?;
    Columns::new("webhook_deliveries", &row).count("pending")
}

async fn deliveries_due(
    conn: &mut SqliteConnection,
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<WebhookId>> {
    let rows = sqlx::query(
        "SELECT DISTINCT webhook FROM webhook_deliveries
         JOIN webhooks ON webhooks.id = webhook
         WHERE state = 'pending' AND next_at <= ? AND active LIMIT ?",
    )
    .bind(micros(now))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await
    .db()?;
    rows.iter().map(|row| Columns::new("webhook_deliveries", row).parsed("webhook")).collect()
}

async fn delivery_put(conn: &mut SqliteConnection, delivery: &DeliveryRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO webhook_deliveries
             (id, webhook, event, kind, body, state, attempts, next_at, log, created_at,
              finished_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
             next_at = excluded.next_at, log = excluded.log, finished_at = excluded.finished_at",
    )
    .bind(delivery.id.to_string())
    .bind(delivery.webhook.to_string())
    .bind(delivery.event.map(number))
    .bind(&delivery.kind)
    .bind(&delivery.body)
    .bind(delivery.state.as_str())
    .bind(i64::from(delivery.attempts))
    .bind(delivery.next_at.map(micros))
    .bind(json_text(&delivery.log)?)
    .bind(micros(delivery.created_at))
    .bind(delivery.finished_at.map(micros))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn deliveries_sweep(
    conn: &mut SqliteConnection,
    before: OffsetDateTime,
    limit: u32,
) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM webhook_deliveries WHERE seq IN (
             SELECT seq FROM webhook_deliveries JOIN webhooks ON webhooks.id = webhook
             WHERE webhook_deliveries.created_at < ? AND (state <> 'pending' OR NOT active)
             LIMIT ?)",
    )
    .bind(micros(before))
    .bind(i64::from(limit))
    .execute(conn)
    .await
    .db()?;
    Ok(done.rows_affected())
}
