//! Routes and their numbered changes.

use aipress_types::ShardId;
use aipress_types::TenantUid;
use sqlx::Connection;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use super::sequences;
use super::sequences::Sequence;
use crate::error::ConflictRule;
use crate::error::StoreError;
use crate::records::PAGE_MAX;
use crate::records::RouteChanges;
use crate::records::RoutePut;
use crate::records::RouteRecord;
use crate::records::RouteSnapshot;
use crate::records::RouteState;

reads! {
    /// The route of a host, a tombstone too.
    route_fetch(host: &str) -> Option<RouteRecord>;
    /// The routes of a tenant by host, tombstones too.
    routes_of_tenant(tenant: TenantUid) -> Vec<RouteRecord>;
    /// Every route at one instant, without tombstones, and the number to ask for changes after.
    routes_snapshot() -> RouteSnapshot;
    /// What changed after number `seq`: `limit` (at most [`PAGE_MAX`]) hosts in their last state.
    routes_after(seq: u64, limit: u32) -> RouteChanges;
}

writes! {
    /// Writes a host's route, with the next number; one that says what is there already takes no
    /// number, and one of a lower generation of the same tenant is ignored. The route as it is.
    ///
    /// A live route of another tenant is a conflict ([`ConflictRule::Host`]).
    route_put(route: &RoutePut) -> RouteRecord;
    /// Leaves a tombstone. `false` when there is no live route.
    route_remove(host: &str, now: OffsetDateTime) -> bool;
    /// Forgets tombstones older than `before`; whoever is behind them has to resync. How many.
    routes_sweep(before: OffsetDateTime) -> u64;
}

impl RouteState {
    fn word(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Suspended => "suspended",
            Self::Starting => "starting",
            Self::Broken => "broken",
            Self::Deleted => "deleted",
        }
    }
}

fn state(text: &str) -> Result<RouteState> {
    [
        RouteState::Serving,
        RouteState::Suspended,
        RouteState::Starting,
        RouteState::Broken,
        RouteState::Deleted,
    ]
    .into_iter()
    .find(|state| state.word() == text)
    .ok_or_else(|| StoreError::corrupt("routes.state", format!("`{text}` is no route state")))
}

// One query for all that an edge needs, so that a snapshot of 50,000 routes is one, too.
macro_rules! select_routes {
    ($tail:literal) => {
        concat!(
            "SELECT r.*, t.name AS tenant_name, t.placement_epoch, s.gateway
             FROM routes r JOIN tenants t ON t.uid = r.tenant JOIN shards s ON s.number = r.shard ",
            $tail
        )
    };
}

fn route(row: &SqliteRow) -> Result<RouteRecord> {
    let columns = Columns::new("routes", row);
    Ok(RouteRecord {
        host: columns.text("host")?,
        tenant: columns.parsed("tenant")?,
        tenant_name: columns.parsed("tenant_name")?,
        placement_epoch: columns.count("placement_epoch")?,
        shard: columns.shard("shard")?,
        gateway: columns.text("gateway")?,
        state: state(&columns.text("state")?)?,
        generation: columns.count("generation")?,
        seq: columns.count("seq")?,
        updated_at: columns.time("updated_at")?,
    })
}

async fn route_fetch(conn: &mut SqliteConnection, host: &str) -> Result<Option<RouteRecord>> {
    let row = sqlx::query(select_routes!("WHERE r.host = ?"))
        .bind(host)
        .fetch_optional(conn)
        .await
        .db()?;
    row.map(|row| route(&row)).transpose()
}

async fn routes_of_tenant(
    conn: &mut SqliteConnection,
    tenant: TenantUid,
) -> Result<Vec<RouteRecord>> {
    let rows = sqlx::query(select_routes!("WHERE r.tenant = ? ORDER BY r.host"))
        .bind(tenant.to_string())
        .fetch_all(conn)
        .await
        .db()?;
    rows.iter().map(route).collect()
}

async fn routes_snapshot(conn: &mut SqliteConnection) -> Result<RouteSnapshot> {
    // One transaction, so that the number and the rows are of the same instant.
    let mut instant = conn.begin().await.db()?;
    let (seq, _) = sequences::last(&mut instant, Sequence::Routes).await?;
    let rows = sqlx::query(select_routes!("WHERE r.state <> 'deleted' ORDER BY r.host"))
        .fetch_all(&mut *instant)
        .await
        .db()?;
    instant.commit().await.db()?;
    Ok(RouteSnapshot { seq, routes: rows.iter().map(route).collect::<Result<_>>()? })
}

async fn routes_after(conn: &mut SqliteConnection, seq: u64, limit: u32) -> Result<RouteChanges> {
    let mut instant = conn.begin().await.db()?;
    let (latest, floor) = sequences::last(&mut instant, Sequence::Routes).await?;
    let rows = sqlx::query(select_routes!("WHERE r.seq > ? ORDER BY r.seq LIMIT ?"))
        .bind(number(seq))
        .bind(i64::from(limit.clamp(1, PAGE_MAX)))
        .fetch_all(&mut *instant)
        .await
        .db()?;
    instant.commit().await.db()?;
    if seq < floor || seq > latest {
        return Ok(RouteChanges::Resync);
    }
    Ok(RouteChanges::Changes { latest, routes: rows.iter().map(route).collect::<Result<_>>()? })
}

async fn route_put(conn: &mut SqliteConnection, put: &RoutePut) -> Result<RouteRecord> {
    if let Some(held) = route_fetch(conn, &put.host).await? {
        if held.tenant != put.tenant && held.state != RouteState::Deleted {
            return Err(StoreError::Conflict { rule: ConflictRule::Host });
        }
        let same_tenant = held.tenant == put.tenant;
        let older = same_tenant && put.generation < held.generation;
        let same = same_tenant
            && (held.shard, held.state, held.generation) == (put.shard, put.state, put.generation);
        if older || same {
            return Ok(held);
        }
    }
    let seq = sequences::next(conn, Sequence::Routes).await?;
    sqlx::query(
        "INSERT INTO routes (host, tenant, shard, state, generation, seq, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (host) DO UPDATE SET
             tenant = excluded.tenant, shard = excluded.shard, state = excluded.state,
             generation = excluded.generation, seq = excluded.seq,
             updated_at = excluded.updated_at",
    )
    .bind(&put.host)
    .bind(put.tenant.to_string())
    .bind(i64::from(put.shard.number()))
    .bind(put.state.word())
    .bind(number(put.generation))
    .bind(number(seq))
    .bind(micros(put.now))
    .execute(&mut *conn)
    .await
    .db()?;
    route_fetch(conn, &put.host).await?.ok_or_else(|| StoreError::not_found("route", &put.host))
}

async fn route_remove(
    conn: &mut SqliteConnection,
    host: &str,
    now: OffsetDateTime,
) -> Result<bool> {
    let live = route_fetch(conn, host).await?.is_some_and(|held| held.state != RouteState::Deleted);
    if live {
        let seq = sequences::next(conn, Sequence::Routes).await?;
        sqlx::query("UPDATE routes SET state = ?, seq = ?, updated_at = ? WHERE host = ?")
            .bind(RouteState::Deleted.word())
            .bind(number(seq))
            .bind(micros(now))
            .bind(host)
            .execute(conn)
            .await
            .db()?;
    }
    Ok(live)
}

async fn routes_sweep(conn: &mut SqliteConnection, before: OffsetDateTime) -> Result<u64> {
    let rows =
        sqlx::query("DELETE FROM routes WHERE state = 'deleted' AND updated_at < ? RETURNING seq")
            .bind(micros(before))
            .fetch_all(&mut *conn)
            .await
            .db()?;
    let mut floor = 0;
    for row in &rows {
        floor = floor.max(Columns::new("routes", row).count("seq")?);
    }
    sequences::raise_floor(conn, Sequence::Routes, floor).await?;
    Ok(rows.len() as u64)
}

/// Whose routes are renumbered.
#[derive(Debug, Clone, Copy)]
pub(super) enum RoutesOf {
    /// Those to a shard whose gateway moved.
    Shard(ShardId),
    /// Those of a tenant that was placed anew.
    Tenant(TenantUid),
}

/// Gives live routes new numbers, because what they carry of tenant or shard changed.
pub(super) async fn routes_renumber(
    conn: &mut SqliteConnection,
    of: RoutesOf,
    now: OffsetDateTime,
) -> Result<()> {
    let live = match of {
        RoutesOf::Shard(shard) => {
            sqlx::query("SELECT host FROM routes WHERE shard = ? AND state <> 'deleted'")
                .bind(i64::from(shard.number()))
        }
        RoutesOf::Tenant(tenant) => {
            sqlx::query("SELECT host FROM routes WHERE tenant = ? AND state <> 'deleted'")
                .bind(tenant.to_string())
        }
    };
    for row in &live.fetch_all(&mut *conn).await.db()? {
        let seq = sequences::next(conn, Sequence::Routes).await?;
        sqlx::query("UPDATE routes SET seq = ?, updated_at = ? WHERE host = ?")
            .bind(number(seq))
            .bind(micros(now))
            .bind(Columns::new("routes", row).text("host")?)
            .execute(&mut *conn)
            .await
            .db()?;
    }
    Ok(())
}
