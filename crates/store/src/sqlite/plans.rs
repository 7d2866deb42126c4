//! Plans, by the hash of their content.

use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::result_codes::Db;
use crate::records::PlanRecord;

reads! {
    /// The plan of this id, expired or not.
    plan_fetch(id: &str) -> Option<PlanRecord>;
}

writes! {
    /// Keeps a plan. One of the same id (so, the same content) only gets its life prolonged.
    plan_insert(plan: &PlanRecord) -> ();
    /// Forgets plans that were over before `before`, `limit` of them; how many.
    plans_sweep(before: OffsetDateTime, limit: u32) -> u64;
}

async fn plan_fetch(conn: &mut SqliteConnection, id: &str) -> Result<Option<PlanRecord>> {
    let row =
        sqlx::query("SELECT * FROM plans WHERE id = ?").bind(id).fetch_optional(conn).await.db()?;
    row.map(|row| {
        let columns = Columns::new("plans", &row);
        Ok(PlanRecord {
            id: columns.text("id")?,
            account: columns.parsed_or_none("account")?,
            actor: columns.text("actor")?,
            body: columns.json("body")?,
            created_at: columns.time("created_at")?,
            expires_at: columns.time("expires_at")?,
        })
    })
    .transpose()
}

async fn plan_insert(conn: &mut SqliteConnection, plan: &PlanRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO plans (id, account, actor, body, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
    )
    .bind(&plan.id)
    .bind(plan.account.map(|id| id.to_string()))
    .bind(&plan.actor)
    .bind(json_text(&plan.body)?)
    .bind(micros(plan.created_at))
    .bind(micros(plan.expires_at))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn plans_sweep(
    conn: &mut SqliteConnection,
    before: OffsetDateTime,
    limit: u32,
) -> Result<u64> {
    sqlx::query(
        "DELETE FROM plans WHERE id IN
         (SELECT id FROM plans WHERE expires_at < ? ORDER BY expires_at LIMIT ?)",
    )
    .bind(micros(before))
    .bind(i64::from(limit))
    .execute(conn)
    .await
    .db()
    .map(|done| done.rows_affected())
}
