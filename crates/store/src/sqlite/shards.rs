//! Shards and projects.

use aipress_types::ProjectId;
use aipress_types::ShardFacts;
use aipress_types::ShardHealth;
use aipress_types::ShardId;
use aipress_types::ShardSchedulability;
use serde_json::Value;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::Duration;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::result_codes::Db;
use super::routes::RoutesOf;
use super::routes::routes_renumber;
use crate::error::StoreError;
use crate::records::ProjectRecord;
use crate::records::ShardRecord;
use crate::records::ShardReport;
use crate::records::ShardStanding;
use crate::records::ShardUpsert;

/// A report that was overtaken by one of so much later was not: the clock was put back.
pub(super) const OVERTAKEN: Duration = Duration::minutes(1);

reads! {
    /// The project of this id.
    project_fetch(id: &ProjectId) -> Option<ProjectRecord>;
    /// Every project, by id.
    project_list() -> Vec<ProjectRecord>;
    /// The shard of this id.
    shard_fetch(id: ShardId) -> Option<ShardRecord>;
    /// Every shard, by number.
    shard_list() -> Vec<ShardRecord>;
    /// What placement needs of every shard, in one query, by number. A slot is taken by a tenant
    /// that is neither deleted nor erased, and by one that is on its way back from deleted.
    shard_facts() -> Vec<ShardStanding>;
}

writes! {
    /// Registers a project; one that is there already is left as it is.
    project_upsert(project: &ProjectRecord) -> ();
    /// Registers a shard (open, of unknown health), or updates what it registered as. A gateway
    /// that moved is a change of every route to it.
    shard_upsert(shard: &ShardUpsert) -> ShardRecord;
    /// Keeps what a shard says of itself; a report older than the last is dropped.
    shard_report(report: &ShardReport) -> ();
    /// Opens a shard to new tenants or closes it.
    shard_set_schedulability(
        id: ShardId,
        to: ShardSchedulability,
        now: OffsetDateTime,
    ) -> ShardRecord;
}

// Must agree with `TenantState::takes_slot`; a conformance test goes through every state.
macro_rules! select_shards {
    ($tail:literal) => {
        concat!(
            "SELECT s.*, (
                SELECT count(*) FROM tenants t
                WHERE t.shard = s.number AND (
                    t.state NOT IN ('deleted', 'erased')
                    OR (t.state = 'deleted' AND t.desired IN ('active', 'suspended'))
                )
             ) AS taken
             FROM shards s ",
            $tail
        )
    };
}

fn shard(row: &SqliteRow) -> Result<ShardRecord> {
    let columns = Columns::new("shards", row);
    Ok(ShardRecord {
        id: columns.shard("number")?,
        project: ProjectId(columns.text("project")?),
        region: columns.text("region")?,
        address: columns.text("address")?,
        gateway: columns.text("gateway")?,
        slots: columns.count("slots")?,
        taken: columns.count("taken")?,
        protocol: columns.count("protocol")?,
        health: columns.word("health")?,
        schedulability: columns.word("schedulability")?,
        message: columns.text_or_none("message")?,
        details: columns.json("details")?,
        reported_at: columns.time_or_none("reported_at")?,
        registered_at: columns.time("registered_at")?,
        updated_at: columns.time("updated_at")?,
    })
}

fn project(row: &SqliteRow) -> Result<ProjectRecord> {
    let columns = Columns::new("projects", row);
    Ok(ProjectRecord {
        id: ProjectId(columns.text("id")?),
        kind: columns.text("kind")?,
        region: columns.text_or_none("region")?,
        created_at: columns.time("created_at")?,
    })
}

async fn project_fetch(
    conn: &mut SqliteConnection,
    id: &ProjectId,
) -> Result<Option<ProjectRecord>> {
    let row = sqlx::query("SELECT * FROM projects WHERE id = ?")
        .bind(&id.0)
        .fetch_optional(conn)
        .await
        .db()?;
    row.map(|row| project(&row)).transpose()
}

async fn project_list(conn: &mut SqliteConnection) -> Result<Vec<ProjectRecord>> {
    let rows = sqlx::query("SELECT * FROM projects ORDER BY id").fetch_all(conn).await.db()?;
    rows.iter().map(project).collect()
}

async fn shard_fetch(conn: &mut SqliteConnection, id: ShardId) -> Result<Option<ShardRecord>> {
    let row = sqlx::query(select_shards!("WHERE s.number = ?"))
        .bind(i64::from(id.number()))
        .fetch_optional(conn)
        .await
        .db()?;
    row.map(|row| shard(&row)).transpose()
}

async fn shard_list(conn: &mut SqliteConnection) -> Result<Vec<ShardRecord>> {
    let rows = sqlx::query(select_shards!("ORDER BY s.number")).fetch_all(conn).await.db()?;
    rows.iter().map(shard).collect()
}

async fn shard_facts(conn: &mut SqliteConnection) -> Result<Vec<ShardStanding>> {
    let shards = shard_list(conn).await?;
    Ok(shards
        .into_iter()
        .map(|shard| ShardStanding {
            facts: ShardFacts {
                id: shard.id,
                region: shard.region,
                health: shard.health,
                schedulability: shard.schedulability,
                slots: shard.slots,
                taken: shard.taken,
            },
            reported_at: shard.reported_at,
        })
        .collect())
}

async fn project_upsert(conn: &mut SqliteConnection, project: &ProjectRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO projects (id, kind, region, created_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&project.id.0)
    .bind(&project.kind)
    .bind(&project.region)
    .bind(micros(project.created_at))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn shard_upsert(conn: &mut SqliteConnection, shard: &ShardUpsert) -> Result<ShardRecord> {
    let held = shard_fetch(conn, shard.id).await?;
    sqlx::query(
        "INSERT INTO shards
             (number, project, region, address, gateway, slots, protocol, health, schedulability,
              details, registered_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)
         ON CONFLICT (number) DO UPDATE SET
             project = excluded.project, region = excluded.region, address = excluded.address,
             gateway = excluded.gateway, slots = excluded.slots, protocol = excluded.protocol,
             updated_at = excluded.updated_at",
    )
    .bind(i64::from(shard.id.number()))
    .bind(&shard.project.0)
    .bind(&shard.region)
    .bind(&shard.address)
    .bind(&shard.gateway)
    .bind(i64::from(shard.slots))
    .bind(i64::from(shard.protocol))
    .bind(ShardHealth::Unknown.as_str())
    .bind(ShardSchedulability::Open.as_str())
    .bind(json_text(&Value::Null)?)
    .bind(micros(shard.now))
    .execute(&mut *conn)
    .await
    .db()?;
    if held.is_some_and(|held| held.gateway != shard.gateway) {
        routes_renumber(conn, RoutesOf::Shard(shard.id), shard.now).await?;
    }
    existing(conn, shard.id).await
}

async fn shard_report(conn: &mut SqliteConnection, report: &ShardReport) -> Result<()> {
    let done = sqlx::query(
        "UPDATE shards SET health = ?2, message = ?3, details = ?4, reported_at = ?5
         WHERE number = ?1 AND (reported_at IS NULL OR reported_at <= ?5 OR reported_at > ?6)",
    )
    .bind(i64::from(report.id.number()))
    .bind(report.health.as_str())
    .bind(&report.message)
    .bind(json_text(&report.details)?)
    .bind(micros(report.at))
    .bind(micros(report.at + OVERTAKEN))
    .execute(&mut *conn)
    .await
    .db()?;
    if done.rows_affected() == 0 {
        existing(conn, report.id).await?;
    }
    Ok(())
}

async fn shard_set_schedulability(
    conn: &mut SqliteConnection,
    id: ShardId,
    to: ShardSchedulability,
    now: OffsetDateTime,
) -> Result<ShardRecord> {
    sqlx::query("UPDATE shards SET schedulability = ?, updated_at = ? WHERE number = ?")
        .bind(to.as_str())
        .bind(micros(now))
        .bind(i64::from(id.number()))
        .execute(&mut *conn)
        .await
        .db()?;
    existing(conn, id).await
}

async fn existing(conn: &mut SqliteConnection, id: ShardId) -> Result<ShardRecord> {
    shard_fetch(conn, id).await?.ok_or_else(|| StoreError::not_found("shard", id))
}
