//! The outbox.

use aipress_store::*;
use aipress_types::*;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(numbers_follow_the_commits, filters_fit, a_sweep_raises_the_floor);

async fn append(store: &Store, events: &[EventInsert]) -> Vec<u64> {
    let mut txn = store.begin().await.unwrap();
    let mut ids = Vec::new();
    for event in events {
        ids.push(txn.event_append(event).await.unwrap());
    }
    txn.commit().await.unwrap();
    ids
}

async fn numbers_follow_the_commits(registry: &Registry) {
    let store = registry.open().await;
    assert_eq!(store.events_last_id().await.unwrap(), 0);
    assert_eq!(append(&store, &[event("a"), event("b")]).await, [1, 2]);
    let mut txn = store.begin().await.unwrap();
    txn.event_append(&event("lost")).await.unwrap();
    assert_eq!(txn.events_last_id().await.unwrap(), 3);
    assert_eq!(store.events_last_id().await.unwrap(), 2);
    txn.rollback().await.unwrap();
    append(&store, &[event("c")]).await;
    drop(store);
    let store = registry.open().await;
    let kinds: Vec<_> = store
        .events_after(1, &EventFilter::default(), 10)
        .await
        .unwrap()
        .into_iter()
        .map(|record| (record.id, record.event.kind))
        .collect();
    assert_eq!(kinds, [(2, "b".to_owned()), (3, "c".to_owned())]);
}

async fn filters_fit(registry: &Registry) {
    let store = registry.open().await;
    let (account, uid) = (AccountId(uuid::Uuid::new_v4()), TenantUid(uuid::Uuid::new_v4()));
    let full = EventInsert {
        tenant: Some(uid),
        account: Some(account),
        shard: Some(shard(2)),
        ..event("tenant.created")
    };
    append(&store, &[full.clone(), event("shard.registered")]).await;
    let found = async |filter: EventFilter| -> Vec<u64> {
        let events = store.events_after(0, &filter, 10).await.unwrap();
        let everything = store.events_after(0, &EventFilter::default(), 10).await.unwrap();
        // In memory the filter means the same.
        let fitting: Vec<_> =
            everything.into_iter().filter(|record| filter.fits(&record.event)).collect();
        assert_eq!(fitting, events);
        events.iter().map(|record| record.id).collect()
    };
    let all = EventFilter::default;
    assert_eq!(found(all()).await, [1, 2]);
    assert_eq!(found(EventFilter { tenant: Some(uid), ..all() }).await, [1]);
    assert_eq!(found(EventFilter { shard: Some(shard(2)), ..all() }).await, [1]);
    assert_eq!(found(EventFilter { accounts: Some(vec![account]), ..all() }).await, [1]);
    assert_eq!(found(EventFilter { accounts: Some(vec![]), ..all() }).await, [0_u64; 0]);
    let kinds = vec!["shard.registered".to_owned(), "other".to_owned()];
    assert_eq!(found(EventFilter { kinds, ..all() }).await, [2]);
    let kinds = vec!["tenant.*".to_owned()];
    assert_eq!(found(EventFilter { kinds, ..all() }).await, [1]);
    let kinds = vec!["tenant.created".to_owned(), "sh*".to_owned()];
    let either = EventFilter { kinds, ..all() };
    assert_eq!(found(either.clone()).await, [1, 2]);
    assert_eq!(found(EventFilter { tenant: Some(uid), ..either.clone() }).await, [1]);
    assert_eq!(store.events_newest(&either, 1).await.unwrap()[0].id, 2);
    assert_eq!(store.events_newest(&all(), 9).await.unwrap()[0].id, 1);
    let events = store.events_after(0, &all(), 1).await.unwrap();
    assert_eq!(events, [EventRecord { id: 1, event: full }]);
}

async fn a_sweep_raises_the_floor(registry: &Registry) {
    let store = registry.open().await;
    let events = [0, 1, 2, 3].map(|seconds| EventInsert { at: at(seconds), ..event("x") });
    append(&store, &events).await;
    let mut txn = store.begin().await.unwrap();
    assert_eq!(txn.events_sweep(at(3), 2).await.unwrap(), 2);
    assert_eq!(txn.events_floor().await.unwrap(), 2);
    assert_eq!(txn.events_sweep(at(3), 2).await.unwrap(), 1);
    assert_eq!(txn.events_sweep(at(3), 2).await.unwrap(), 0);
    txn.commit().await.unwrap();
    assert_eq!(store.events_floor().await.unwrap(), 3);
    assert_eq!(store.events_after(0, &EventFilter::default(), 9).await.unwrap().len(), 1);
    assert_eq!(append(&store, &[event("next")]).await, [5]);
    append(&store, &[event("6"), event("7"), event("8")]).await;
    let mut txn = store.begin().await.unwrap();
    assert_eq!(txn.events_sweep_beyond(9, 10).await.unwrap(), 0);
    assert_eq!(txn.events_sweep_beyond(3, 1).await.unwrap(), 1);
    assert_eq!(txn.events_sweep_beyond(3, 10).await.unwrap(), 1);
    txn.commit().await.unwrap();
    assert_eq!(store.events_floor().await.unwrap(), 5);
    assert_eq!(store.events_after(0, &EventFilter::default(), 9).await.unwrap().len(), 3);
}
