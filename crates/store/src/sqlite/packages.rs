//! Plugins and themes: archives in the mirror, who has them, and what is asked to go from sites.

use std::collections::BTreeMap;

use aipress_types::AccountId;
use aipress_types::PackageKind;
use aipress_types::TenantUid;
use aipress_types::intent::PackageRef;
use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use crate::records::PackageCursor;
use crate::records::PackageFacts;
use crate::records::PackageFilter;
use crate::records::PackageHolder;
use crate::records::PackageRecord;
use crate::records::PackageSighting;
use crate::records::PackageUse;
use crate::records::Page;
use crate::records::PageRequest;

/// Archives of one name that are looked at, newest first.
const CANDIDATES: u32 = 1_000;
/// Sites that name a package, as many as are looked at.
const USES: u32 = 10_000;

reads! {
    /// The archive with this SHA-256, with everybody who has it.
    package_fetch(sha256: &str) -> Option<PackageRecord>;
    /// A page of archives, by name.
    package_list(
        filter: &PackageFilter,
        page: &PageRequest<PackageCursor>,
    ) -> Page<PackageRecord, PackageCursor>;
    /// The archives of this name that an account may use, newest first (the last 1,000).
    package_candidates(kind: PackageKind, name: &str, account: AccountId) -> Vec<PackageRecord>;
    /// The first bytes that an origin gave for a version.
    package_sighting(origin: &str, kind: PackageKind, name: &str, version: &str) -> Option<String>;
    /// The sites, not erased, whose spec names a package (at most 10,000).
    package_uses(kind: PackageKind, name: &str) -> Vec<PackageUse>;
    /// What a site is asked not to have.
    package_removals(tenant: TenantUid) -> Vec<PackageRef>;
    /// What the archives of an account take, in bytes.
    package_bytes(account: AccountId) -> u64;
    /// Whether an archive is here at all, whoever has it.
    package_exists(sha256: &str) -> bool;
}

writes! {
    /// Records an archive for a holder. Known facts and holders stay as they are; whether the
    /// holder is new.
    package_put(facts: &PackageFacts, holder: &PackageHolder) -> bool;
    /// Takes an archive from a holder (`None`: from everybody). How many others are left; with
    /// none the archive is forgotten.
    package_take(sha256: &str, account: Option<AccountId>) -> u64;
    /// Remembers what an origin gave, unless it gave something before.
    package_sight(sighting: &PackageSighting, now: OffsetDateTime) -> ();
    /// Asks a site not to have a package, until it has converged to `generation`.
    package_removal_put(tenant: TenantUid, package: &PackageRef, generation: u64) -> ();
    /// Forgets what was asked to go by a generation that is reality now.
    package_removals_done(tenant: TenantUid, generation: u64) -> ();
}

/// The account of a holder as it is stored.
fn stored(account: Option<AccountId>) -> String {
    account.map(|account| account.to_string()).unwrap_or_default()
}

fn facts(columns: &Columns<'_>) -> Result<PackageFacts> {
    Ok(PackageFacts {
        sha256: columns.text("sha256")?,
        kind: columns.word("kind")?,
        name: columns.text("name")?,
        version: columns.text("version")?,
        title: columns.text("title")?,
        size: columns.count("size")?,
        requires: columns.text_or_none("requires")?,
        requires_php: columns.text_or_none("requires_php")?,
        tested: columns.text_or_none("tested")?,
    })
}

fn holder(columns: &Columns<'_>) -> Result<PackageHolder> {
    let account = columns.text("account")?;
    Ok(PackageHolder {
        account: if account.is_empty() { None } else { Some(columns.parsed("account")?) },
        origin: columns.text("origin")?,
        actor: columns.text("actor")?,
        added_at: columns.time("added_at")?,
    })
}

/// Records with their holders, in the order of `rows`.
async fn records(conn: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<Vec<PackageRecord>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM package_holders WHERE sha256 IN (");
    let mut list = query.separated(", ");
    for row in rows {
        list.push_bind(Columns::new("packages", row).text("sha256")?);
    }
    query.push(") ORDER BY sha256, account");
    let mut held: BTreeMap<String, Vec<PackageHolder>> = BTreeMap::new();
    for row in query.build().fetch_all(conn).await.db()? {
        let columns = Columns::new("package_holders", &row);
        held.entry(columns.text("sha256")?).or_default().push(holder(&columns)?);
    }
    rows.iter()
        .map(|row| {
            let columns = Columns::new("packages", row);
            let facts = facts(&columns)?;
            let holders = held.remove(&facts.sha256).unwrap_or_default();
            Ok(PackageRecord { facts, first_seen: columns.time("first_seen")?, holders })
        })
        .collect()
}

async fn package_fetch(conn: &mut SqliteConnection, sha256: &str) -> Result<Option<PackageRecord>> {
    let rows = sqlx::query("SELECT * FROM packages WHERE sha256 = ?")
        .bind(sha256)
        .fetch_all(&mut *conn)
        .await
        .db()?;
    Ok(records(conn, &rows).await?.pop())
}

async fn package_exists(conn: &mut SqliteConnection, sha256: &str) -> Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM packages WHERE sha256 = ?)")
        .bind(sha256)
        .fetch_one(conn)
        .await
        .db()
}

async fn package_bytes(conn: &mut SqliteConnection, account: AccountId) -> Result<u64> {
    let bytes: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(p.size), 0) FROM package_holders AS h
         JOIN packages AS p ON p.sha256 = h.sha256 WHERE h.account = ?",
    )
    .bind(account.to_string())
    .fetch_one(conn)
    .await
    .db()?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

async fn package_list(
    conn: &mut SqliteConnection,
    filter: &PackageFilter,
    page: &PageRequest<PackageCursor>,
) -> Result<Page<PackageRecord, PackageCursor>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM packages AS p WHERE 1");
    if let Some(accounts) = &filter.accounts {
        query.push(
            " AND EXISTS (SELECT 1 FROM package_holders AS h WHERE h.sha256 = p.sha256
              AND h.account IN (''",
        );
        for account in accounts {
            query.push(", ").push_bind(account.to_string());
        }
        query.push("))");
    }
    let texts = [
        (" AND kind = ", filter.kind.map(|kind| kind.as_str().to_owned())),
        (" AND name = ", filter.name.clone()),
        (" AND version = ", filter.version.clone()),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition).push_bind(value);
        }
    }
    if let Some(cursor) = &page.after {
        query
            .push(" AND (name, sha256) > (")
            .push_bind(&cursor.name)
            .push(", ")
            .push_bind(&cursor.sha256)
            .push(")");
    }
    let wanted = page.rows();
    query.push(" ORDER BY name, sha256 LIMIT ").push_bind(number(wanted as u64 + 1));
    let rows = query.build().fetch_all(&mut *conn).await.db()?;
    let more = rows.len() > wanted;
    let items = records(conn, rows.get(..wanted).unwrap_or(&rows)).await?;
    let next = items.last().filter(|_| more).map(|last| PackageCursor {
        name: last.facts.name.clone(),
        sha256: last.facts.sha256.clone(),
    });
    Ok(Page { items, next })
}

async fn package_candidates(
    conn: &mut SqliteConnection,
    kind: PackageKind,
    name: &str,
    account: AccountId,
) -> Result<Vec<PackageRecord>> {
    let rows = sqlx::query(
        "SELECT * FROM packages AS p WHERE kind = ? AND name = ? AND EXISTS (
             SELECT 1 FROM package_holders AS h
             WHERE h.sha256 = p.sha256 AND h.account IN ('', ?))
         ORDER BY first_seen DESC, sha256 LIMIT ?",
    )
    .bind(kind.as_str())
    .bind(name)
    .bind(account.to_string())
    .bind(CANDIDATES)
    .fetch_all(&mut *conn)
    .await
    .db()?;
    records(conn, &rows).await
}

async fn package_sighting(
    conn: &mut SqliteConnection,
    origin: &str,
    kind: PackageKind,
    name: &str,
    version: &str,
) -> Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT sha256 FROM package_sightings
         WHERE origin = ? AND kind = ? AND name = ? AND version = ?",
    )
    .bind(origin)
    .bind(kind.as_str())
    .bind(name)
    .bind(version)
    .fetch_optional(conn)
    .await
    .db()
}

async fn package_uses(
    conn: &mut SqliteConnection,
    kind: PackageKind,
    name: &str,
) -> Result<Vec<PackageUse>> {
    let rows = sqlx::query(
        "SELECT name, account, spec FROM tenants
         WHERE state <> 'erased' AND EXISTS (
             SELECT 1 FROM json_each(tenants.spec, ?) AS entry
             WHERE json_extract(entry.value, '$.name') = ?)
         ORDER BY name LIMIT ?",
    )
    .bind(format!("$.{}", kind.plural()))
    .bind(name)
    .bind(USES)
    .fetch_all(conn)
    .await
    .db()?;
    rows.iter()
        .map(|row| {
            let columns = Columns::new("tenants", row);
            Ok(PackageUse {
                tenant: columns.parsed("name")?,
                account: columns.parsed("account")?,
                spec: columns.json("spec")?,
            })
        })
        .collect()
}

async fn package_removals(
    conn: &mut SqliteConnection,
    tenant: TenantUid,
) -> Result<Vec<PackageRef>> {
    let rows = sqlx::query("SELECT * FROM package_removals WHERE tenant = ? ORDER BY kind, name")
        .bind(tenant.to_string())
        .fetch_all(conn)
        .await
        .db()?;
    rows.iter()
        .map(|row| {
            let columns = Columns::new("package_removals", row);
            Ok(PackageRef { kind: columns.word("kind")?, name: columns.text("name")? })
        })
        .collect()
}

async fn package_put(
    conn: &mut SqliteConnection,
    facts: &PackageFacts,
    holder: &PackageHolder,
) -> Result<bool> {
    sqlx::query(
        "INSERT INTO packages (sha256, kind, name, version, title, size, requires, requires_php,
             tested, first_seen)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING",
    )
    .bind(&facts.sha256)
    .bind(facts.kind.as_str())
    .bind(&facts.name)
    .bind(&facts.version)
    .bind(&facts.title)
    .bind(number(facts.size))
    .bind(&facts.requires)
    .bind(&facts.requires_php)
    .bind(&facts.tested)
    .bind(micros(holder.added_at))
    .execute(&mut *conn)
    .await
    .db()?;
    let done = sqlx::query(
        "INSERT INTO package_holders (sha256, account, origin, actor, added_at)
         VALUES (?, ?, ?, ?, ?) ON CONFLICT (sha256, account) DO NOTHING",
    )
    .bind(&facts.sha256)
    .bind(stored(holder.account))
    .bind(&holder.origin)
    .bind(&holder.actor)
    .bind(micros(holder.added_at))
    .execute(conn)
    .await
    .db()?;
    Ok(done.rows_affected() > 0)
}

async fn package_take(
    conn: &mut SqliteConnection,
    sha256: &str,
    account: Option<AccountId>,
) -> Result<u64> {
    sqlx::query("DELETE FROM package_holders WHERE sha256 = ? AND account = ?")
        .bind(sha256)
        .bind(stored(account))
        .execute(&mut *conn)
        .await
        .db()?;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM package_holders WHERE sha256 = ?")
        .bind(sha256)
        .fetch_one(&mut *conn)
        .await
        .db()?;
    if left == 0 {
        sqlx::query("DELETE FROM packages WHERE sha256 = ?")
            .bind(sha256)
            .execute(conn)
            .await
            .db()?;
    }
    Ok(u64::try_from(left).unwrap_or(0))
}

async fn package_sight(
    conn: &mut SqliteConnection,
    sighting: &PackageSighting,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO package_sightings (origin, kind, name, version, sha256, seen_at)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(&sighting.origin)
    .bind(sighting.kind.as_str())
    .bind(&sighting.name)
    .bind(&sighting.version)
    .bind(&sighting.sha256)
    .bind(micros(now))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn package_removal_put(
    conn: &mut SqliteConnection,
    tenant: TenantUid,
    package: &PackageRef,
    generation: u64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO package_removals (tenant, kind, name, generation) VALUES (?, ?, ?, ?)
         ON CONFLICT (tenant, kind, name) DO UPDATE SET generation = excluded.generation",
    )
    .bind(tenant.to_string())
    .bind(package.kind.as_str())
    .bind(&package.name)
    .bind(number(generation))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn package_removals_done(
    conn: &mut SqliteConnection,
    tenant: TenantUid,
    generation: u64,
) -> Result<()> {
    sqlx::query("DELETE FROM package_removals WHERE tenant = ? AND generation <= ?")
        .bind(tenant.to_string())
        .bind(number(generation))
        .execute(conn)
        .await
        .db()
        .map(drop)
}
