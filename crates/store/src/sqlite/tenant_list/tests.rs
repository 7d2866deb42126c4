//! How lists are read: every filter and order, from an index that has all it needs.

use aipress_types::AccountId;
use aipress_types::ShardId;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use aipress_types::Tier;
use sqlx::Connection;
use sqlx::Row;
use uuid::Uuid;

use super::super::migrate;
use super::*;

const SORTS: [TenantSortKey; 3] =
    [TenantSortKey::Name, TenantSortKey::Created, TenantSortKey::Updated];

fn filters() -> Vec<TenantFilter> {
    let any = TenantFilter::default;
    let account = Some(vec![AccountId(Uuid::from_u128(1))]);
    let label = vec![("team".to_owned(), "ten".to_owned())];
    vec![
        any(),
        TenantFilter { states: vec![TenantState::Active], ..any() },
        TenantFilter { states: vec![TenantState::Suspended, TenantState::Failed], ..any() },
        TenantFilter { tier: Some(Tier::Gold), ..any() },
        TenantFilter { region: Some("europe-west1".to_owned()), ..any() },
        TenantFilter { region: Some("x".to_owned()), tier: Some(Tier::Bronze), ..any() },
        TenantFilter { name_prefix: Some("shop-0".to_owned()), ..any() },
        TenantFilter { name_contains: Some("zzz".to_owned()), ..any() },
        TenantFilter { accounts: account.clone(), ..any() },
        TenantFilter { accounts: account.clone(), tier: Some(Tier::Gold), ..any() },
        TenantFilter { accounts: account, name_contains: Some("a".to_owned()), ..any() },
        TenantFilter { labels: label.clone(), ..any() },
        TenantFilter { labels: label, region: Some("x".to_owned()), ..any() },
        TenantFilter { shard: ShardId::from_number(7), ..any() },
    ]
}

/// The steps of `EXPLAIN QUERY PLAN`: of the look for which ones, and of the whole.
async fn plan(
    conn: &mut SqliteConnection,
    filter: &TenantFilter,
    sort: TenantSort,
    after: Option<TenantCursor>,
) -> (Vec<String>, Vec<String>) {
    let page = PageRequest { limit: 200, after };
    let mut query = statement("EXPLAIN QUERY PLAN ", conn, filter, sort, &page).await.unwrap();
    let rows = query.build().fetch_all(conn).await.unwrap();
    let (mut inner, mut outer, mut subquery) = (Vec::new(), Vec::new(), None);
    for row in rows {
        let (id, parent, step): (i64, i64, String) = (row.get(0), row.get(1), row.get("detail"));
        if step.starts_with("LIST SUBQUERY") && parent == 0 {
            subquery = Some(id);
        } else if Some(parent) == subquery {
            inner.push(step);
        } else if parent == 0 {
            outer.push(step);
        }
    }
    (inner, outer)
}

#[tokio::test]
async fn every_filter_and_order_is_read_from_an_index_that_has_all_it_needs() {
    let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    migrate::run(&mut conn).await.unwrap();
    let by_uid = "SEARCH tenants USING INDEX sqlite_autoindex_tenants_1 (uid=?)";
    for filter in filters() {
        for key in SORTS {
            for direction in [SortDirection::Ascending, SortDirection::Descending] {
                let sort = TenantSort { key, direction };
                let cursor =
                    TenantCursor { sort, key: "1".to_owned(), uid: TenantUid(Uuid::from_u128(1)) };
                for after in [None, Some(cursor)] {
                    let at = format!("{filter:?} {sort:?} {after:?}");
                    let (inner, outer) = plan(&mut conn, &filter, sort, after).await;
                    // A page's rows, found one by one, and sorted: few.
                    assert_eq!(outer, [by_uid, "USE TEMP B-TREE FOR ORDER BY"], "{at}");
                    let few = filter.shard.is_some() || !filter.labels.is_empty();
                    let found = &inner[0];
                    assert!(few || found.contains("USING COVERING INDEX"), "{at}: {inner:?}");
                    let sorted = inner.iter().any(|step| step.contains("TEMP B-TREE"));
                    // Sorted is what a search by something else than the order has found.
                    let searched = found.starts_with("SEARCH");
                    assert!(!sorted || searched, "{at}: {inner:?}");
                    let may_sort = few || filter.accounts.is_some() || filter.name_prefix.is_some();
                    assert!(!sorted || may_sort, "{at}: {inner:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn who_is_behind_is_found_without_looking_at_all() {
    let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    migrate::run(&mut conn).await.unwrap();
    let mut query = QueryBuilder::<Sqlite>::new("EXPLAIN QUERY PLAN ");
    let rows = query.push(BEHIND).build().fetch_all(&mut conn).await;
    let steps: Vec<String> = rows.unwrap().iter().map(|row| row.get("detail")).collect();
    assert_eq!(steps, ["SCAN tenants USING INDEX tenants_behind"]);
}
