//! Lists of tenants: filters, orders, keyset paging, and how long they take.

use std::collections::HashSet;
use std::time::Instant;

use aipress_store::*;
use aipress_types::*;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    filters_fit,
    labels_find_and_follow_their_tenant,
    each_order_pages_through_all,
    rows_that_come_meanwhile_hide_none,
    a_cursor_is_of_one_order,
    ten_thousand_are_paged,
);

async fn names(store: &Store, filter: TenantFilter) -> Vec<String> {
    let page = PageRequest::first(100);
    let got = store.tenant_list(&filter, TenantSort::default(), &page).await.unwrap();
    assert_eq!(got.next, None);
    got.items.iter().map(|tenant| tenant.name.to_string()).collect()
}

async fn filters_fit(registry: &Registry) {
    let store = registry.open().await;
    let mine = furnish(&store).await;
    let other = account("Other");
    let mut txn = store.begin().await.unwrap();
    txn.account_insert(&other).await.unwrap();
    txn.commit().await.unwrap();
    let gold = TenantSpec { tier: Tier::Gold, ..TenantSpec::default() };
    insert(&store, &tenant(mine, "bakery")).await;
    insert(&store, &TenantInsert { spec: gold, ..tenant(mine, "bank") }).await;
    insert(&store, &TenantInsert { shard: Some(shard(2)), ..tenant(other.id, "rebar") }).await;
    let gone = insert(&store, &tenant(other.id, "erased")).await;
    set_state(&store, gone.uid, &[TenantState::Deleted, TenantState::Erased], at(1)).await;
    let live = insert(&store, &tenant(other.id, "live")).await;
    set_state(&store, live.uid, &[TenantState::Active], at(1)).await;

    let all = TenantFilter::default;
    assert_eq!(names(&store, all()).await, ["bakery", "bank", "live", "rebar"]);
    let accounts = |ids: &[AccountId]| TenantFilter { accounts: Some(ids.to_vec()), ..all() };
    assert_eq!(names(&store, accounts(&[mine])).await, ["bakery", "bank"]);
    assert_eq!(names(&store, accounts(&[mine, other.id])).await.len(), 4);
    assert_eq!(names(&store, accounts(&[])).await, [""; 0]);
    let states = |states: &[TenantState]| TenantFilter { states: states.to_vec(), ..all() };
    assert_eq!(names(&store, states(&[TenantState::Erased])).await, ["erased"]);
    let two = [TenantState::Erased, TenantState::Active];
    assert_eq!(names(&store, states(&two)).await, ["erased", "live"]);
    assert_eq!(names(&store, TenantFilter { tier: Some(Tier::Gold), ..all() }).await, ["bank"]);
    assert_eq!(names(&store, TenantFilter { shard: Some(shard(2)), ..all() }).await, ["rebar"]);
    let region = |region: &str| TenantFilter { region: Some(region.to_owned()), ..all() };
    assert_eq!(names(&store, region("europe-west1")).await, ["rebar"]);
    let prefix = |text: &str| TenantFilter { name_prefix: Some(text.to_owned()), ..all() };
    assert_eq!(names(&store, prefix("ba")).await, ["bakery", "bank"]);
    assert_eq!(names(&store, prefix("")).await.len(), 4);
    let contains = |text: &str| TenantFilter { name_contains: Some(text.to_owned()), ..all() };
    assert_eq!(names(&store, contains("ba")).await, ["bakery", "bank", "rebar"]);
    // What is a wildcard elsewhere is none here.
    assert_eq!(names(&store, contains("%")).await, [""; 0]);
    assert_eq!(names(&store, contains("' OR 1=1 --")).await, [""; 0]);
    let both = TenantFilter { name_prefix: Some("ba".into()), tier: Some(Tier::Silver), ..all() };
    assert_eq!(names(&store, both).await, ["bakery"]);
}

async fn labels_find_and_follow_their_tenant(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let labelled = |pairs: &[(&str, &str)]| TenantMetadata {
        display_name: Some("Shop".to_owned()),
        labels: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    let metadata = labelled(&[("env", "prod"), ("team", "a")]);
    let first = insert(&store, &TenantInsert { metadata, ..tenant(account, "first") }).await;
    let metadata = labelled(&[("env", "prod"), ("team", "b")]);
    let second = insert(&store, &TenantInsert { metadata, ..tenant(account, "second") }).await;
    insert(&store, &tenant(account, "third")).await;
    let with = |pairs: &[(&str, &str)]| TenantFilter {
        labels: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..TenantFilter::default()
    };
    assert_eq!(names(&store, with(&[("env", "prod")])).await, ["first", "second"]);
    assert_eq!(names(&store, with(&[("env", "prod"), ("team", "b")])).await, ["second"]);
    assert_eq!(names(&store, with(&[("env", "b")])).await, [""; 0]);

    let mut txn = store.begin().await.unwrap();
    let moved = labelled(&[("env", "test")]);
    let after = txn.tenant_set_metadata(first.uid, &moved, at(5)).await.unwrap();
    assert_eq!((after.generation, &after.metadata), (first.generation, &moved));
    assert_ne!(after.etag, first.etag);
    txn.commit().await.unwrap();
    assert_eq!(names(&store, with(&[("env", "prod")])).await, ["second"]);
    assert_eq!(names(&store, with(&[("env", "test")])).await, ["first"]);

    let end = [TenantState::Deleted, TenantState::Erased];
    set_state(&store, second.uid, &[end[0]], at(6)).await;
    let mut txn = store.begin().await.unwrap();
    let erased = txn.tenant_erase(second.uid, at(7)).await.unwrap();
    assert_eq!(erased.metadata, TenantMetadata::default());
    assert!(txn.tenant_set_metadata(second.uid, &moved, at(8)).await.is_err());
    txn.commit().await.unwrap();
    let states = vec![TenantState::Erased];
    let filter = TenantFilter { states, ..with(&[("env", "prod")]) };
    assert_eq!(names(&store, filter).await, [""; 0]);
}

async fn each_order_pages_through_all(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    for turn in 0..11_i64 {
        // Three a second, so that times tie; names in another order than times.
        let called = format!("site-{:02}", (turn * 7) % 11);
        insert(&store, &TenantInsert { now: at(turn / 3), ..tenant(account, &called) }).await;
    }
    for key in [TenantSortKey::Name, TenantSortKey::Created, TenantSortKey::Updated] {
        for direction in [SortDirection::Ascending, SortDirection::Descending] {
            let sort = TenantSort { key, direction };
            let mut seen = Vec::new();
            let mut page = PageRequest::first(4);
            loop {
                let got = store.tenant_list(&TenantFilter::default(), sort, &page).await.unwrap();
                seen.extend(got.items);
                let Some(next) = got.next else { break };
                // As a client sends it back.
                let text = serde_json::to_string(&next).unwrap();
                page = PageRequest::after(4, serde_json::from_str(&text).unwrap());
            }
            let distinct: HashSet<_> = seen.iter().map(|tenant| tenant.uid).collect();
            assert_eq!((seen.len(), distinct.len()), (11, 11), "{sort:?}");
            let by = |tenant: &TenantRecord| match key {
                TenantSortKey::Name => (tenant.name.to_string(), at(0)),
                TenantSortKey::Created => (String::new(), tenant.created_at),
                TenantSortKey::Updated => (String::new(), tenant.updated_at),
            };
            if direction == SortDirection::Descending {
                seen.reverse();
            }
            assert!(seen.is_sorted_by_key(by), "{sort:?}");
        }
    }
}

async fn rows_that_come_meanwhile_hide_none(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    for called in ["bbb", "ddd", "fff"] {
        insert(&store, &tenant(account, called)).await;
    }
    let sort = TenantSort::default();
    let all = TenantFilter::default();
    let first = store.tenant_list(&all, sort, &PageRequest::first(2)).await.unwrap();
    for called in ["aaa", "ccc", "eee"] {
        insert(&store, &tenant(account, called)).await;
    }
    let page = PageRequest::after(10, first.next.unwrap());
    let rest = store.tenant_list(&all, sort, &page).await.unwrap();
    let names: Vec<_> = rest.items.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(names, ["eee", "fff"]);
}

async fn a_cursor_is_of_one_order(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    for called in ["aaa", "bbb"] {
        insert(&store, &tenant(account, called)).await;
    }
    let all = TenantFilter::default();
    let sort = TenantSort { key: TenantSortKey::Created, direction: SortDirection::Ascending };
    let first = store.tenant_list(&all, sort, &PageRequest::first(1)).await.unwrap();
    let mut cursor = first.next.unwrap();
    let page = PageRequest::after(1, cursor.clone());
    let error = store.tenant_list(&all, TenantSort::default(), &page).await.unwrap_err();
    assert!(matches!(error, StoreError::Cursor), "{error:?}");
    cursor.key = "made up".to_owned();
    let page = PageRequest::after(1, cursor);
    let error = store.tenant_list(&all, sort, &page).await.unwrap_err();
    assert!(matches!(error, StoreError::Cursor), "{error:?}");
}

async fn ten_thousand_are_paged(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let began = Instant::now();
    let mut txn = store.begin().await.unwrap();
    for turn in 0..10_000_i64 {
        let called = format!("site-{turn:05}");
        let wanted = TenantInsert { now: at(turn), ..tenant(account, &called) };
        txn.tenant_insert(&wanted).await.unwrap();
    }
    txn.commit().await.unwrap();
    println!("10,000 tenants inserted in {:?}", began.elapsed());
    for key in [TenantSortKey::Name, TenantSortKey::Created, TenantSortKey::Updated] {
        let sort = TenantSort { key, direction: SortDirection::Descending };
        let (mut seen, mut slowest) = (0, std::time::Duration::ZERO);
        let mut page = PageRequest::first(100);
        let began = Instant::now();
        loop {
            let asked = Instant::now();
            let got = store.tenant_list(&TenantFilter::default(), sort, &page).await.unwrap();
            slowest = slowest.max(asked.elapsed());
            seen += got.items.len();
            let Some(next) = got.next else { break };
            page = PageRequest::after(100, next);
        }
        assert_eq!(seen, 10_000);
        println!("by {key:?}: 100 pages in {:?}, the slowest in {slowest:?}", began.elapsed());
    }
    let asked = Instant::now();
    assert_eq!(store.shard_facts().await.unwrap()[0].facts.taken, 10_000);
    println!("facts for placement in {:?}", asked.elapsed());
}
