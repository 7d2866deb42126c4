//! Routes and their numbers.

use aipress_store::*;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    only_changes_take_a_number,
    an_edge_catches_up,
    a_live_route_is_not_taken_away,
    whoever_is_behind_a_sweep_resyncs,
    a_change_of_tenant_or_shard_is_one_of_the_route,
);

fn put(of: &TenantRecord, host: &str, state: RouteState) -> RoutePut {
    RoutePut {
        host: host.to_owned(),
        tenant: of.uid,
        shard: shard(1),
        state,
        generation: of.generation,
        now: at(1),
    }
}

async fn only_changes_take_a_number(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let mut txn = store.begin().await.unwrap();
    let starting = put(&made, "bakery.localhost", RouteState::Starting);
    let first = txn.route_put(&starting).await.unwrap();
    assert_eq!((first.seq, first.state), (1, RouteState::Starting));
    let same = txn.route_put(&RoutePut { now: at(9), ..starting.clone() }).await.unwrap();
    assert_eq!(same, first);
    let serving = RoutePut { state: RouteState::Serving, generation: 3, ..starting.clone() };
    let second = txn.route_put(&serving).await.unwrap();
    assert_eq!((second.seq, second.state), (2, RouteState::Serving));
    // What follows from an older generation comes too late.
    let late = txn.route_put(&starting).await.unwrap();
    assert_eq!(late, second);
    txn.commit().await.unwrap();
    assert_eq!(store.route_fetch("bakery.localhost").await.unwrap(), Some(second.clone()));
    assert_eq!(store.routes_of_tenant(made.uid).await.unwrap(), [second]);
}

async fn changes(store: &Store, seq: u64, limit: u32) -> (u64, Vec<(String, RouteState)>) {
    match store.routes_after(seq, limit).await.unwrap() {
        RouteChanges::Changes { latest, routes } => {
            (latest, routes.into_iter().map(|route| (route.host, route.state)).collect())
        }
        RouteChanges::Resync => panic!("resync"),
    }
}

async fn an_edge_catches_up(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let mut txn = store.begin().await.unwrap();
    for host in ["a.localhost", "b.localhost", "c.localhost"] {
        txn.route_put(&put(&made, host, RouteState::Serving)).await.unwrap();
    }
    txn.commit().await.unwrap();
    let snapshot = store.routes_snapshot().await.unwrap();
    assert_eq!((snapshot.seq, snapshot.routes.len()), (3, 3));
    assert_eq!(changes(&store, 3, 10).await, (3, vec![]));

    let mut txn = store.begin().await.unwrap();
    txn.route_put(&put(&made, "b.localhost", RouteState::Suspended)).await.unwrap();
    assert!(txn.route_remove("a.localhost", at(2)).await.unwrap());
    assert!(!txn.route_remove("a.localhost", at(3)).await.unwrap());
    assert!(!txn.route_remove("nobody.localhost", at(3)).await.unwrap());
    txn.commit().await.unwrap();
    let b = ("b.localhost".to_owned(), RouteState::Suspended);
    let a = ("a.localhost".to_owned(), RouteState::Deleted);
    assert_eq!(changes(&store, 3, 10).await, (5, vec![b.clone(), a.clone()]));
    assert_eq!(changes(&store, 3, 1).await, (5, vec![b]));
    assert_eq!(changes(&store, 4, 1).await, (5, vec![a]));
    let snapshot = store.routes_snapshot().await.unwrap();
    assert_eq!((snapshot.seq, snapshot.routes.len()), (5, 2));
    // A number that this registry never gave: it was restored from a backup.
    assert_eq!(store.routes_after(6, 10).await.unwrap(), RouteChanges::Resync);
}

async fn a_live_route_is_not_taken_away(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let first = insert(&store, &tenant(account, "first")).await;
    let second = insert(&store, &tenant(account, "second")).await;
    let mut txn = store.begin().await.unwrap();
    let late = RoutePut { generation: 9, ..put(&first, "x.localhost", RouteState::Serving) };
    txn.route_put(&late).await.unwrap();
    txn.commit().await.unwrap();
    let mut txn = store.begin().await.unwrap();
    let theirs = put(&second, "x.localhost", RouteState::Serving);
    let error = txn.route_put(&theirs).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { rule: ConflictRule::Host }), "{error:?}");
    drop(txn);
    let mut txn = store.begin().await.unwrap();
    txn.route_remove("x.localhost", at(2)).await.unwrap();
    let taken = txn.route_put(&theirs).await.unwrap();
    assert_eq!((taken.tenant, taken.generation), (second.uid, 1));
    txn.commit().await.unwrap();
}

async fn whoever_is_behind_a_sweep_resyncs(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let mut txn = store.begin().await.unwrap();
    txn.route_put(&put(&made, "a.localhost", RouteState::Serving)).await.unwrap();
    txn.route_put(&put(&made, "b.localhost", RouteState::Serving)).await.unwrap();
    txn.route_remove("a.localhost", at(2)).await.unwrap();
    txn.commit().await.unwrap();
    let sweep = async |before| {
        let mut txn = store.begin().await.unwrap();
        let swept = txn.routes_sweep(before).await.unwrap();
        txn.commit().await.unwrap();
        swept
    };
    assert_eq!(sweep(at(2)).await, 0);
    assert_eq!(changes(&store, 2, 10).await.1.len(), 1);
    assert_eq!(sweep(at(3)).await, 1);
    assert_eq!(store.routes_after(2, 10).await.unwrap(), RouteChanges::Resync);
    assert_eq!(changes(&store, 3, 10).await, (3, vec![]));
}

async fn a_change_of_tenant_or_shard_is_one_of_the_route(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let mut txn = store.begin().await.unwrap();
    let live = put(&made, "a.localhost", RouteState::Serving);
    let first = txn.route_put(&live).await.unwrap();
    txn.route_put(&put(&made, "gone.localhost", RouteState::Serving)).await.unwrap();
    txn.route_remove("gone.localhost", at(2)).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!((first.tenant_name.as_str(), first.placement_epoch), ("bakery", 1));
    assert_eq!(first.gateway, "unix:/run/1/gateway.sock");
    let hosts: Vec<String> =
        store.routes_of_tenant(made.uid).await.unwrap().into_iter().map(|r| r.host).collect();
    assert_eq!(hosts, ["a.localhost", "gone.localhost"]);

    let again = shard_upsert(1, "us-central1");
    let moved = ShardUpsert { gateway: "unix:/new.sock".to_owned(), ..again.clone() };
    let mut txn = store.begin().await.unwrap();
    txn.shard_upsert(&again).await.unwrap();
    assert_eq!(txn.routes_snapshot().await.unwrap().seq, 3);
    txn.shard_upsert(&moved).await.unwrap();
    let snapshot = txn.routes_snapshot().await.unwrap();
    assert_eq!((snapshot.seq, snapshot.routes[0].gateway.as_str()), (4, "unix:/new.sock"));
    txn.tenant_place(made.uid, shard(1), at(5)).await.unwrap();
    let snapshot = txn.routes_snapshot().await.unwrap();
    assert_eq!((snapshot.seq, snapshot.routes[0].placement_epoch), (5, 2));
    txn.commit().await.unwrap();
}
