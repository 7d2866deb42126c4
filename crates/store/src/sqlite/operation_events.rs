//! The numbered events of one operation, for streams that resume where they broke off.

use aipress_types::OperationId;
use aipress_types::TenantUid;
use serde_json::Value;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use crate::records::OperationEvent;
use crate::records::PAGE_MAX;

reads! {
    /// An operation's events after number `seq` (0 for all), in order, `limit` (at most
    /// [`PAGE_MAX`]) of them.
    operation_events_after(id: OperationId, seq: u64, limit: u32) -> Vec<OperationEvent>;
}

writes! {
    /// Appends an event to an operation. Its number: 1, 2, 3 … without gaps.
    operation_event_append(
        id: OperationId,
        kind: &str,
        data: &Value,
        now: OffsetDateTime,
    ) -> u64;
}

async fn operation_events_after(
    conn: &mut SqliteConnection,
    id: OperationId,
    seq: u64,
    limit: u32,
) -> Result<Vec<OperationEvent>> {
    let rows = sqlx::query(
        "SELECT * FROM operation_events WHERE operation = ? AND seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(id.to_string())
    .bind(number(seq))
    .bind(i64::from(limit.clamp(1, PAGE_MAX)))
    .fetch_all(conn)
    .await
    .db()?;
    rows.iter()
        .map(|row| {
            let columns = Columns::new("operation_events", row);
            Ok(OperationEvent {
                operation: columns.parsed("operation")?,
                seq: columns.count("seq")?,
                at: columns.time("at")?,
                kind: columns.text("kind")?,
                data: columns.json("data")?,
            })
        })
        .collect()
}

async fn operation_event_append(
    conn: &mut SqliteConnection,
    id: OperationId,
    kind: &str,
    data: &Value,
    now: OffsetDateTime,
) -> Result<u64> {
    let row = sqlx::query(
        "INSERT INTO operation_events (operation, seq, at, kind, data)
         SELECT ?1, coalesce(max(seq), 0) + 1, ?2, ?3, ?4
         FROM operation_events WHERE operation = ?1
         RETURNING seq",
    )
    .bind(id.to_string())
    .bind(micros(now))
    .bind(kind)
    .bind(json_text(data)?)
    .fetch_one(conn)
    .await
    .db()?;
    Columns::new("operation_events", &row).count("seq")
}

/// Forgets what finished operations of a tenant told, for its erasure.
pub(super) async fn operations_redact(conn: &mut SqliteConnection, uid: TenantUid) -> Result<()> {
    for statement in [
        "DELETE FROM operation_events WHERE operation IN
             (SELECT id FROM operations WHERE tenant = ? AND finished_at IS NOT NULL)",
        "UPDATE operation_steps SET message = NULL WHERE operation IN
             (SELECT id FROM operations WHERE tenant = ? AND finished_at IS NOT NULL)",
        "UPDATE operations SET result = NULL, error = NULL
         WHERE tenant = ? AND finished_at IS NOT NULL",
        "UPDATE events SET data = '{}' WHERE tenant = ?",
    ] {
        sqlx::query(statement).bind(uid.to_string()).execute(&mut *conn).await.db()?;
    }
    Ok(())
}
