//! What shards report.

use aipress_store::*;
use aipress_types::*;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    a_report_is_kept_once,
    late_reports_are_dropped,
    who_is_behind_is_known,
    an_intent_goes_above_what_a_shard_has_seen,
);

fn told(observed: TenantObserved, state: Option<TenantState>) -> TenantObservation {
    TenantObservation { observed, state, message: None, now: at(9) }
}

async fn record(store: &Store, observation: &TenantObservation) -> TenantRecorded {
    let mut txn = store.begin().await.unwrap();
    let recorded = txn.tenant_record_observed(observation).await.unwrap();
    txn.commit().await.unwrap();
    recorded
}

async fn a_report_is_kept_once(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let report = told(observed(&made, ObservedPhase::Converged), Some(TenantState::Active));
    let recorded = record(&store, &report).await;
    let TenantRecorded::Changed(now) = &recorded else { panic!("{recorded:?}") };
    assert_eq!(now.state, TenantState::Active);
    assert_eq!((now.observed_generation, now.slot), (1, Some(7)));
    assert_eq!(now.observed.as_ref(), Some(&report.observed));
    assert_ne!(now.etag, made.etag);
    let again = record(&store, &TenantObservation { now: at(99), ..report.clone() }).await;
    assert_eq!(again, TenantRecorded::Unchanged(now.clone()));
    // The same report, but something else follows from it.
    let message = Some("the disk is full".to_owned());
    let other = TenantObservation { message: message.clone(), ..report };
    let recorded = record(&store, &other).await;
    assert!(matches!(&recorded, TenantRecorded::Changed(row) if row.message == message));
}

async fn late_reports_are_dropped(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let mut txn = store.begin().await.unwrap();
    let second = txn.tenant_update_intent(&TenantIntentUpdate::new(made.uid, at(1))).await.unwrap();
    txn.commit().await.unwrap();
    record(&store, &told(observed(&second, ObservedPhase::Converging), None)).await;
    let late = record(&store, &told(observed(&made, ObservedPhase::Converged), None)).await;
    assert!(matches!(late, TenantRecorded::Stale(_)), "{late:?}");

    let mut txn = store.begin().await.unwrap();
    let moved = txn.tenant_place(made.uid, shard(2), at(2)).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!((moved.placement_epoch, moved.shard), (2, Some(shard(2))));
    assert_eq!((moved.observed.as_ref(), moved.slot, moved.observed_generation), (None, None, 0));
    let former = record(&store, &told(observed(&second, ObservedPhase::Converged), None)).await;
    assert!(matches!(former, TenantRecorded::Stale(_)), "{former:?}");
    let here = record(&store, &told(observed(&moved, ObservedPhase::Converged), None)).await;
    assert!(matches!(here, TenantRecorded::Changed(_)), "{here:?}");
}

async fn who_is_behind_is_known(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    insert(&store, &TenantInsert { shard: None, ..tenant(account, "loose") }).await;
    let behind = async || store.tenants_behind(10).await.unwrap().len();
    assert_eq!(behind().await, 1);
    for (phase, left) in [
        (ObservedPhase::Converging, 1),
        (ObservedPhase::Failed, 0),
        (ObservedPhase::Converging, 1),
        (ObservedPhase::Converged, 0),
    ] {
        record(&store, &told(observed(&made, phase), None)).await;
        assert_eq!(behind().await, left, "{phase:?}");
    }
    let mut txn = store.begin().await.unwrap();
    txn.tenant_update_intent(&TenantIntentUpdate::new(made.uid, at(1))).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(behind().await, 1);
}

async fn an_intent_goes_above_what_a_shard_has_seen(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    // The registry was restored from a backup; the shard was at 9 already.
    let ahead = TenantObserved { generation: 9, ..observed(&made, ObservedPhase::Converged) };
    record(&store, &told(ahead, None)).await;
    let mut txn = store.begin().await.unwrap();
    let next = txn.tenant_update_intent(&TenantIntentUpdate::new(made.uid, at(1))).await.unwrap();
    assert_eq!(next.generation, 10);
}
