//! Lists of tenants.

use aipress_types::ShardId;
use aipress_types::TenantState;
use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use super::tenant_rows::TenantRow;
use crate::error::StoreError;
use crate::records::PAGE_MAX;
use crate::records::Page;
use crate::records::PageRequest;
use crate::records::SortDirection;
use crate::records::TenantCursor;
use crate::records::TenantFilter;
use crate::records::TenantRecord;
use crate::records::TenantSort;
use crate::records::TenantSortKey;

reads! {
    /// A page of tenants. [`StoreError::Cursor`] when the cursor is of another order.
    tenant_list(
        filter: &TenantFilter,
        sort: TenantSort,
        page: &PageRequest<TenantCursor>,
    ) -> Page<TenantRecord, TenantCursor>;
    /// What a shard's intents are made of: its tenants that are not erased, and the erased whose
    /// erasure it has not confirmed; by name.
    tenants_of_shard(shard: ShardId) -> Vec<TenantRecord>;
    /// Tenants that were deleted before `deleted_before` and are still asked to be no more than
    /// that, oldest first, `limit` (at most [`PAGE_MAX`]) of them.
    tenants_due_erasure(deleted_before: OffsetDateTime, limit: u32) -> Vec<TenantRecord>;
    /// Tenants with a shard that has not yet said that their generation is reality (or cannot
    /// be), longest unchanged first, `limit` (at most [`PAGE_MAX`]) of them.
    tenants_behind(limit: u32) -> Vec<TenantRecord>;
    /// How many tenants there are in each state that occurs.
    tenant_counts() -> Vec<(TenantState, u64)>;
}

/// As the index `tenants_behind` has it, word for word: else SQLite reads all tenants.
const BEHIND: &str = "SELECT * FROM tenants
     WHERE shard IS NOT NULL AND (
         observed_generation < generation
         OR coalesce(observed_phase, 'converging') = 'converging'
     )
     ORDER BY updated_at, uid LIMIT ?";
/// Tenants that are read and sorted rather than walked by.
const FEW: i64 = 1_000;

async fn tenant_list(
    conn: &mut SqliteConnection,
    filter: &TenantFilter,
    sort: TenantSort,
    page: &PageRequest<TenantCursor>,
) -> Result<Page<TenantRecord, TenantCursor>> {
    let wanted = page.rows();
    let mut query = statement("", conn, filter, sort, page).await?;
    let rows = query.build().fetch_all(conn).await.db()?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows.iter().take(wanted) {
        items.push(TenantRow::read(row)?.record);
    }
    let next = items.last().filter(|_| rows.len() > wanted).map(|last| TenantCursor {
        sort,
        key: match sort.key {
            TenantSortKey::Name => last.name.to_string(),
            TenantSortKey::Created => micros(last.created_at).to_string(),
            TenantSortKey::Updated => micros(last.updated_at).to_string(),
        },
        uid: last.uid,
    });
    Ok(Page { items, next })
}

/// Two looks: which ones, from an index that holds all that filters and order need; then their
/// rows, which are large. `before` stands before it.
async fn statement(
    before: &str,
    conn: &mut SqliteConnection,
    filter: &TenantFilter,
    sort: TenantSort,
    page: &PageRequest<TenantCursor>,
) -> Result<QueryBuilder<Sqlite>> {
    let mut query = QueryBuilder::<Sqlite>::new(before);
    query.push("SELECT * FROM tenants WHERE uid IN (SELECT uid FROM tenants WHERE ");
    push_filter(&mut query, filter);
    push_labels(conn, &mut query, filter).await?;
    let column = match sort.key {
        TenantSortKey::Name => "name",
        TenantSortKey::Created => "created_at",
        TenantSortKey::Updated => "updated_at",
    };
    let (beyond, direction) = match sort.direction {
        SortDirection::Ascending => (" > (", " ASC"),
        SortDirection::Descending => (" < (", " DESC"),
    };
    if let Some(cursor) = &page.after {
        if cursor.sort != sort {
            return Err(StoreError::Cursor);
        }
        query.push(" AND (").push(column).push(", uid)").push(beyond);
        match sort.key {
            TenantSortKey::Name => query.push_bind(&cursor.key),
            TenantSortKey::Created | TenantSortKey::Updated => {
                query.push_bind(cursor.key.parse::<i64>().map_err(|_| StoreError::Cursor)?)
            }
        };
        query.push(", ").push_bind(cursor.uid.to_string()).push(")");
    }
    query.push(" ORDER BY ").push(column).push(direction).push(", uid").push(direction);
    // One more than wanted tells whether there is a next page.
    query.push(" LIMIT ").push_bind(number(page.rows() as u64 + 1)).push(")");
    query.push(" ORDER BY ").push(column).push(direction).push(", uid").push(direction);
    Ok(query)
}

fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &TenantFilter) {
    if filter.states.is_empty() {
        // `+` keeps it from the index of living names, which lacks what the other filters look at.
        query.push("+state <> 'erased'");
    } else {
        query.push("state IN (");
        let mut list = query.separated(", ");
        for state in &filter.states {
            list.push_bind(state.as_str());
        }
        query.push(")");
    }
    if let Some(accounts) = &filter.accounts {
        // No account at all is an empty list, which nothing is in.
        query.push(" AND account IN (");
        let mut list = query.separated(", ");
        for account in accounts {
            list.push_bind(account.to_string());
        }
        query.push(")");
    }
    if let Some(tier) = filter.tier {
        query.push(" AND tier = ").push_bind(tier.as_str());
    }
    if let Some(region) = &filter.region {
        // `+` keeps the order's own index in use: that of shards would find many, to be sorted.
        query.push(" AND +shard IN (SELECT number FROM shards WHERE region = ");
        query.push_bind(region.clone()).push(")");
    }
    if let Some(shard) = filter.shard {
        query.push(" AND shard = ").push_bind(i64::from(shard.number()));
    }
    if let Some(prefix) = &filter.name_prefix {
        // A range, which an index serves; `~` sorts after every character of a name.
        query.push(" AND name >= ").push_bind(prefix.clone());
        query.push(" AND name < ").push_bind(format!("{prefix}~"));
    }
    if let Some(part) = &filter.name_contains {
        query.push(" AND instr(name, ").push_bind(part.clone()).push(") > 0");
    }
}

/// A label that few tenants have is looked up first. One that many have is asked of each tenant in
/// the order of the list instead, until the page is full: else all of them would be read and sorted.
async fn push_labels(
    conn: &mut SqliteConnection,
    query: &mut QueryBuilder<Sqlite>,
    filter: &TenantFilter,
) -> Result<()> {
    for (name, value) in &filter.labels {
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM
             (SELECT 1 FROM tenant_labels WHERE name = ? AND value = ? LIMIT ?)",
        )
        .bind(name)
        .bind(value)
        .bind(FEW + 1)
        .fetch_one(&mut *conn)
        .await
        .db()?;
        if found <= FEW {
            query.push(" AND uid IN (SELECT tenant FROM tenant_labels WHERE name = ");
            query.push_bind(name.clone()).push(" AND value = ").push_bind(value.clone());
        } else {
            query.push(" AND EXISTS (SELECT 1 FROM tenant_labels WHERE tenant = +tenants.uid");
            query.push(" AND name = ").push_bind(name.clone());
            query.push(" AND value = ").push_bind(value.clone());
        }
        query.push(")");
    }
    Ok(())
}

async fn tenants_of_shard(
    conn: &mut SqliteConnection,
    shard: ShardId,
) -> Result<Vec<TenantRecord>> {
    let rows = sqlx::query(
        "SELECT * FROM tenants
         WHERE shard = ? AND (
             state <> 'erased'
             OR observed_generation < generation
             OR coalesce(observed_phase, '') <> 'converged'
         )
         ORDER BY name, uid",
    )
    .bind(i64::from(shard.number()))
    .fetch_all(conn)
    .await
    .db()?;
    rows.iter().map(|row| TenantRow::read(row).map(|row| row.record)).collect()
}

async fn tenants_due_erasure(
    conn: &mut SqliteConnection,
    deleted_before: OffsetDateTime,
    limit: u32,
) -> Result<Vec<TenantRecord>> {
    let rows = sqlx::query(
        "SELECT * FROM tenants
         WHERE state = 'deleted' AND desired = 'deleted' AND deleted_at < ?
         ORDER BY deleted_at LIMIT ?",
    )
    .bind(micros(deleted_before))
    .bind(i64::from(limit.clamp(1, PAGE_MAX)))
    .fetch_all(conn)
    .await
    .db()?;
    rows.iter().map(|row| TenantRow::read(row).map(|row| row.record)).collect()
}

async fn tenants_behind(conn: &mut SqliteConnection, limit: u32) -> Result<Vec<TenantRecord>> {
    let rows =
        sqlx::query(BEHIND).bind(i64::from(limit.clamp(1, PAGE_MAX))).fetch_all(conn).await.db()?;
    rows.iter().map(|row| TenantRow::read(row).map(|row| row.record)).collect()
}

async fn tenant_counts(conn: &mut SqliteConnection) -> Result<Vec<(TenantState, u64)>> {
    let rows = sqlx::query("SELECT state, count(*) AS tenants FROM tenants GROUP BY state")
        .fetch_all(conn)
        .await
        .db()?;
    rows.iter()
        .map(|row| {
            let columns = Columns::new("tenants", row);
            Ok((columns.parsed("state")?, columns.count("tenants")?))
        })
        .collect()
}

#[cfg(test)]
mod tests;
