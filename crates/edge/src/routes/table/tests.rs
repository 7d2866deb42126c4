//! The table under changes, snapshots, tombstones and late answers.

use super::*;

use aipress_types::ShardId;
use aipress_types::TenantUid;

fn table() -> Table {
    Table::new(Arc::new(Upstreams::default()))
}

fn entry(host: &str, state: RouteState, placement_epoch: u64) -> RouteEntry {
    RouteEntry {
        host: host.to_owned(),
        tenant: "f47ac10b-58cc-4372-a567-0e02b2c3d479".parse::<TenantUid>().unwrap(),
        name: "bakery".to_owned(),
        shard: ShardId::from_number(1).unwrap(),
        upstream: "unix:/run/gateway.sock".to_owned(),
        state,
        placement_epoch,
    }
}

fn changes(seq: u64, snapshot: bool, routes: Vec<RouteEntry>) -> RouteChanges {
    RouteChanges { seq, snapshot, routes }
}

fn epoch(table: &Table, host: &str) -> Option<u64> {
    table.get(host).map(|route| route.entry.placement_epoch)
}

#[test]
fn changes_come_and_go() {
    let table = table();
    assert!(!table.is_loaded());
    assert_eq!(table.seq(), None);
    table.apply(changes(0, true, vec![]));
    assert!(table.is_loaded());
    assert_eq!(table.seq(), Some(0));
    table.apply(changes(
        3,
        false,
        vec![
            entry("a", RouteState::Starting, 1),
            entry("b", RouteState::Serving, 1),
            entry("a", RouteState::Serving, 1),
        ],
    ));
    assert_eq!(table.get("a").unwrap().entry.state, RouteState::Serving);
    assert_eq!((table.size(), table.seq()), (2, Some(3)));
    table.apply(changes(4, false, vec![entry("a", RouteState::Gone, 1)]));
    assert!(table.get("a").is_none());
    assert_eq!(table.size(), 1);
    table.apply(changes(5, false, vec![entry("a", RouteState::Gone, 1)]));
    assert_eq!(table.size(), 1);
}

#[test]
fn a_snapshot_replaces_all_whatever_its_number() {
    let table = table();
    table.apply(changes(9, true, vec![entry("a", RouteState::Serving, 5)]));
    table.apply(changes(
        2,
        true,
        vec![entry("b", RouteState::Serving, 1), entry("gone", RouteState::Gone, 1)],
    ));
    assert!(table.get("a").is_none());
    assert!(table.get("gone").is_none());
    assert_eq!((epoch(&table, "b"), table.size(), table.seq()), (Some(1), 1, Some(2)));
}

#[test]
fn an_unchanged_route_keeps_its_count() {
    let table = table();
    table.apply(changes(1, true, vec![entry("a", RouteState::Serving, 1)]));
    table.get("a").unwrap().in_flight.store(7, Ordering::Relaxed);
    table.apply(changes(2, true, vec![entry("a", RouteState::Serving, 1)]));
    assert_eq!(table.get("a").unwrap().in_flight.load(Ordering::Relaxed), 7);
}

#[test]
fn an_older_placement_of_the_same_tenant_is_refused() {
    let table = table();
    table.apply(changes(1, true, vec![entry("a", RouteState::Serving, 3)]));
    table.apply(changes(2, false, vec![entry("a", RouteState::Serving, 2)]));
    table.apply(changes(3, false, vec![entry("a", RouteState::Gone, 2)]));
    assert_eq!(epoch(&table, "a"), Some(3));
    let mut other = entry("a", RouteState::Serving, 1);
    other.tenant = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    table.apply(changes(4, false, vec![other]));
    assert_eq!(epoch(&table, "a"), Some(1));
}

#[test]
fn an_answer_never_brings_back_what_the_log_took_away() {
    let table = table();
    table.apply(changes(1, true, vec![]));
    let asked_at = table.applied();
    table.apply(changes(2, false, vec![entry("a", RouteState::Gone, 1)]));
    let route = table.learn(entry("a", RouteState::Serving, 1), asked_at);
    assert_eq!(route.entry.host, "a");
    assert!(table.get("a").is_none());
    table.learn(entry("a", RouteState::Serving, 1), table.applied());
    assert!(table.get("a").is_some());
    assert_eq!(table.size(), 1);
}

#[test]
fn gateways_are_shared_by_their_sites() {
    let table = table();
    table.apply(changes(
        1,
        true,
        vec![entry("a", RouteState::Serving, 1), entry("b", RouteState::Serving, 1)],
    ));
    let upstream = |host| table.get(host).unwrap().upstream.clone().unwrap();
    assert!(Arc::ptr_eq(&upstream("a"), &upstream("b")));
    let mut odd = entry("c", RouteState::Serving, 1);
    odd.upstream = "ftp://x".to_owned();
    table.apply(changes(2, false, vec![odd]));
    assert!(table.get("c").unwrap().upstream.is_none());
}

#[test]
fn many_hosts_are_all_found() {
    let table = table();
    let routes = (0..5_000)
        .map(|number| entry(&format!("site-{number}.localhost"), RouteState::Serving, number))
        .collect();
    table.apply(changes(1, true, routes));
    assert_eq!((table.size(), table.all().len()), (5_000, 5_000));
    assert!((0..5_000).all(|n| epoch(&table, &format!("site-{n}.localhost")) == Some(n)));
    let fullest = table.shards.iter().map(|shard| read(shard).len()).max();
    assert!(fullest.is_some_and(|most| most < 200), "hosts spread over the locks");
}
