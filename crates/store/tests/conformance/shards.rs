//! Shards, projects, and what placement reads.

use aipress_store::*;
use aipress_types::*;
use serde_json::json;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    registering_again_keeps_health_and_schedulability,
    an_older_report_is_dropped,
    slots_are_taken_as_the_states_say,
    shards_sort_by_number,
);

async fn registering_again_keeps_health_and_schedulability(registry: &Registry) {
    let store = registry.open().await;
    furnish(&store).await;
    let fresh = store.shard_fetch(shard(1)).await.unwrap().unwrap();
    assert_eq!(fresh.health, ShardHealth::Unknown);
    assert_eq!(fresh.schedulability, ShardSchedulability::Open);
    assert_eq!((fresh.reported_at, fresh.registered_at), (None, at(0)));
    let mut txn = store.begin().await.unwrap();
    let report = ShardReport {
        id: shard(1),
        health: ShardHealth::Degraded,
        message: Some("redis is down".to_owned()),
        details: json!({ "redis": "down" }),
        at: at(5),
    };
    txn.shard_report(&report).await.unwrap();
    let cordoned = ShardSchedulability::Cordoned;
    txn.shard_set_schedulability(shard(1), cordoned, at(6)).await.unwrap();
    let moved = ShardUpsert {
        address: "unix:/elsewhere".to_owned(),
        now: at(7),
        ..shard_upsert(1, "us-central1")
    };
    let record = txn.shard_upsert(&moved).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!((record.health, record.schedulability), (ShardHealth::Degraded, cordoned));
    assert_eq!((record.reported_at, record.registered_at), (Some(at(5)), at(0)));
    assert_eq!(record.address, "unix:/elsewhere");
    assert_eq!(record.details, json!({ "redis": "down" }));
    assert_eq!(store.shard_fetch(shard(1)).await.unwrap(), Some(record));
    let unknown = ShardReport { id: shard(77), ..report };
    let error = store.begin().await.unwrap().shard_report(&unknown).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { noun: "shard", .. }), "{error:?}");
}

async fn an_older_report_is_dropped(registry: &Registry) {
    let store = registry.open().await;
    furnish(&store).await;
    let mut txn = store.begin().await.unwrap();
    for (health, seconds) in [(ShardHealth::Healthy, 5), (ShardHealth::Unhealthy, 4)] {
        let report = ShardReport {
            id: shard(1),
            health,
            message: None,
            details: json!({}),
            at: at(seconds),
        };
        txn.shard_report(&report).await.unwrap();
    }
    txn.commit().await.unwrap();
    let standing = store.shard_facts().await.unwrap();
    assert_eq!(standing[0].facts.health, ShardHealth::Healthy);
    assert_eq!(standing[0].reported_at, Some(at(5)));
}

/// A way through the table of states to each state.
fn way(to: TenantState) -> Vec<TenantState> {
    match to {
        TenantState::Creating => vec![],
        TenantState::Erased => vec![TenantState::Deleted, TenantState::Erased],
        other => vec![other],
    }
}

async fn slots_are_taken_as_the_states_say(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    for state in TenantState::ALL {
        let before = store.shard_facts().await.unwrap()[0].facts.taken;
        let wanted = TenantInsert { desired: DesiredState::Deleted, ..tenant(account, "xyz") };
        let wanted = TenantInsert { name: name(&format!("t-{state}")), ..wanted };
        let uid = insert(&store, &wanted).await.uid;
        set_state(&store, uid, &way(state), at(1)).await;
        let facts = store.shard_facts().await.unwrap();
        assert_eq!(facts[0].facts.taken - before, u32::from(state.takes_slot()), "{state}");
        assert_eq!(facts[1].facts.taken, 0);
    }
    // Being undeleted takes a slot before it is done, or somebody else would get it.
    let before = store.shard_facts().await.unwrap()[0].facts.taken;
    let back = TenantInsert { desired: DesiredState::Active, ..tenant(account, "back") };
    let uid = insert(&store, &back).await.uid;
    set_state(&store, uid, &[TenantState::Deleted], at(1)).await;
    let facts = &store.shard_facts().await.unwrap()[0].facts;
    assert_eq!(facts.taken, before + 1);
    assert_eq!((facts.slots, facts.region.as_str()), (50, "us-central1"));
    assert_eq!(store.shard_fetch(shard(1)).await.unwrap().unwrap().taken, facts.taken);
}

async fn shards_sort_by_number(registry: &Registry) {
    let store = registry.open().await;
    furnish(&store).await;
    let mut txn = store.begin().await.unwrap();
    for number in [1000, 999] {
        txn.project_upsert(&project(number)).await.unwrap();
        txn.project_upsert(&project(number)).await.unwrap();
        txn.shard_upsert(&shard_upsert(number, "us-central1")).await.unwrap();
    }
    txn.commit().await.unwrap();
    let numbers: Vec<u32> =
        store.shard_list().await.unwrap().iter().map(|shard| shard.id.number()).collect();
    assert_eq!(numbers, [1, 2, 999, 1000]);
    assert_eq!(store.project_list().await.unwrap().len(), 4);
    let id = ProjectId::of_shard(shard(999));
    assert_eq!(store.project_fetch(&id).await.unwrap(), Some(project(999)));
}
