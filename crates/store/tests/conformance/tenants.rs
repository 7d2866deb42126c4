//! Tenants: names, etags, generations, states, erasure.

use aipress_store::*;
use aipress_types::*;
use serde_json::json;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    a_tenant_is_read_back_by_name_and_by_uid,
    a_name_is_unique_until_its_tenant_is_erased,
    a_uid_is_never_reused,
    what_a_tenant_refers_to_must_exist,
    every_write_changes_the_etag,
    an_intent_counts_up_and_honours_the_etag,
    only_steps_of_the_table_are_taken,
    deleted_since_is_kept_while_deleted,
    erasing_leaves_hashes,
    a_shard_gets_what_it_must_know,
    deleted_tenants_come_due,
);

async fn a_tenant_is_read_back_by_name_and_by_uid(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let mut wanted = tenant(account, "bakery");
    wanted.spec.wordpress.title = Some("Crumbs “Bakery” & Söhne".to_owned());
    wanted.now = at(0) + time::Duration::nanoseconds(1_234_567);
    let made = insert(&store, &wanted).await;
    assert_eq!((made.generation, made.placement_epoch), (1, 1));
    assert_eq!(made.spec, wanted.spec);
    assert_eq!(made.sealed_secrets, [1, 2, 3]);
    assert_eq!(made.created_at, registry_time(wanted.now));
    let by_name = store.tenant_fetch(&name("bakery").into()).await.unwrap();
    let by_uid = store.tenant_fetch(&wanted.uid.into()).await.unwrap();
    assert_eq!(by_name.as_ref(), Some(&made));
    assert_eq!(by_uid.as_ref(), Some(&made));
    assert_eq!(store.tenant_fetch(&name("other").into()).await.unwrap(), None);
    let unplaced = insert(&store, &TenantInsert { shard: None, ..tenant(account, "loose") }).await;
    assert_eq!((unplaced.shard, unplaced.placement_epoch), (None, 0));
}

async fn refused(store: &Store, tenant: &TenantInsert) -> ConflictRule {
    let mut txn = store.begin().await.unwrap();
    match txn.tenant_insert(tenant).await.unwrap_err() {
        StoreError::Conflict { rule } => rule,
        other => panic!("{other:?}"),
    }
}

async fn erase(store: &Store, uid: TenantUid) -> TenantRecord {
    set_state(store, uid, &[TenantState::Deleted], at(1)).await;
    let mut txn = store.begin().await.unwrap();
    let record = txn.tenant_erase(uid, at(2)).await.unwrap();
    txn.commit().await.unwrap();
    record
}

async fn a_name_is_unique_until_its_tenant_is_erased(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let first = insert(&store, &tenant(account, "bakery")).await;
    assert_eq!(refused(&store, &tenant(account, "bakery")).await, ConflictRule::TenantName);
    set_state(&store, first.uid, &[TenantState::Deleted], at(1)).await;
    assert_eq!(refused(&store, &tenant(account, "bakery")).await, ConflictRule::TenantName);
    let erased = erase(&store, first.uid).await;
    let second = insert(&store, &tenant(account, "bakery")).await;
    let found = store.tenant_fetch(&name("bakery").into()).await.unwrap().unwrap();
    assert_eq!(found.uid, second.uid);
    assert_eq!(store.tenant_fetch(&first.uid.into()).await.unwrap(), Some(erased));
    // What somebody saw of the first must not fit the second.
    assert_ne!(first.etag, second.etag);
}

async fn a_uid_is_never_reused(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let first = insert(&store, &tenant(account, "bakery")).await;
    erase(&store, first.uid).await;
    let again = TenantInsert { uid: first.uid, ..tenant(account, "other") };
    assert_eq!(refused(&store, &again).await, ConflictRule::TenantUid);
}

async fn what_a_tenant_refers_to_must_exist(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let nobody = tenant(AccountId(uuid::Uuid::new_v4()), "bakery");
    assert_eq!(refused(&store, &nobody).await, ConflictRule::Reference);
    let nowhere = TenantInsert { shard: Some(shard(99)), ..tenant(account, "bakery") };
    assert_eq!(refused(&store, &nowhere).await, ConflictRule::Reference);
}

async fn every_write_changes_the_etag(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let mut seen = vec![made.etag.clone()];
    let mut txn = store.begin().await.unwrap();
    let update = TenantIntentUpdate::new(made.uid, at(1));
    seen.push(txn.tenant_update_intent(&update).await.unwrap().etag);
    let active = TenantState::Active;
    seen.push(txn.tenant_set_state(made.uid, active, None, at(2)).await.unwrap().etag);
    seen.push(txn.tenant_place(made.uid, shard(2), at(3)).await.unwrap().etag);
    let deleted = TenantState::Deleted;
    seen.push(txn.tenant_set_state(made.uid, deleted, None, at(4)).await.unwrap().etag);
    seen.push(txn.tenant_erase(made.uid, at(5)).await.unwrap().etag);
    let last = seen.last().cloned();
    // Nothing new is no write.
    let erased = txn.tenant_erase(made.uid, at(6)).await.unwrap();
    assert_eq!(Some(erased.etag), last);
    let different: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
}

async fn an_intent_counts_up_and_honours_the_etag(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let mut update = TenantIntentUpdate::new(made.uid, at(5));
    update.expected_etag = Some(made.etag.clone());
    update.desired = Some(DesiredState::Suspended);
    let mut txn = store.begin().await.unwrap();
    let changed = txn.tenant_update_intent(&update).await.unwrap();
    assert_eq!((changed.generation, changed.desired), (2, DesiredState::Suspended));
    assert_eq!((&changed.spec, changed.updated_at), (&made.spec, at(5)));
    let error = txn.tenant_update_intent(&update).await.unwrap_err();
    assert!(matches!(&error, StoreError::EtagMismatch { current } if *current == changed.etag));
    // The transaction goes on: nothing was written by the refused one.
    update.expected_etag = None;
    update.spec = Some(TenantSpec { tier: Tier::Gold, ..made.spec.clone() });
    update.sealed_secrets = Some(vec![9]);
    let changed = txn.tenant_update_intent(&update).await.unwrap();
    assert_eq!((changed.generation, changed.spec.tier), (3, Tier::Gold));
    assert_eq!(changed.sealed_secrets, [9]);
    txn.commit().await.unwrap();
    let unknown = TenantIntentUpdate::new(TenantUid(uuid::Uuid::new_v4()), at(6));
    let error = store.begin().await.unwrap().tenant_update_intent(&unknown).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { noun: "tenant", .. }), "{error:?}");
}

async fn only_steps_of_the_table_are_taken(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let mut txn = store.begin().await.unwrap();
    let error = txn.tenant_erase(made.uid, at(1)).await.unwrap_err();
    let (from, to) = (TenantState::Creating, TenantState::Erased);
    assert!(matches!(error, StoreError::Transition { from: f, to: t } if (f, t) == (from, to)));
    let deleted = TenantState::Deleted;
    txn.tenant_set_state(made.uid, deleted, None, at(1)).await.unwrap();
    txn.tenant_erase(made.uid, at(2)).await.unwrap();
    txn.commit().await.unwrap();
    let mut update = TenantIntentUpdate::new(made.uid, at(3));
    update.desired = Some(DesiredState::Active);
    let error = store.begin().await.unwrap().tenant_update_intent(&update).await.unwrap_err();
    assert!(matches!(error, StoreError::Transition { from: TenantState::Erased, .. }));
}

async fn deleted_since_is_kept_while_deleted(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let uid = insert(&store, &tenant(account, "bakery")).await.uid;
    let record = set_state(&store, uid, &[TenantState::Deleted], at(10)).await;
    assert_eq!(record.deleted_at, Some(at(10)));
    let mut txn = store.begin().await.unwrap();
    let record = txn.tenant_update_intent(&TenantIntentUpdate::new(uid, at(20))).await.unwrap();
    assert_eq!(record.deleted_at, Some(at(10)));
    txn.commit().await.unwrap();
    let record = set_state(&store, uid, &[TenantState::Active], at(30)).await;
    assert_eq!(record.deleted_at, None);
}

async fn erasing_leaves_hashes(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let made = insert(&store, &tenant(account, "bakery")).await;
    let uid = made.uid.to_string();
    let done = operation(&made, "tenant.create", 0);
    let erasing = operation(&made, "tenant.erase", 9);
    let mut txn = store.begin().await.unwrap();
    txn.audit_append(&audit("tenant.create", &uid, 0)).await.unwrap();
    let told = EventInsert { tenant: Some(made.uid), ..event("tenant.created") };
    txn.event_append(&told).await.unwrap();
    for insert in [&done, &erasing] {
        txn.operation_insert(insert).await.unwrap();
        txn.operation_event_append(insert.id, "step", &json!({ "x": 1 }), at(1)).await.unwrap();
    }
    let outcome = OperationOutcome::Succeeded(Some(json!({ "title": "Crumbs" })));
    txn.operation_finish(done.id, &outcome, at(2)).await.unwrap();
    txn.commit().await.unwrap();

    let erased = erase(&store, made.uid).await;
    assert_eq!(erased.state, TenantState::Erased);
    assert_eq!((erased.desired, erased.erased_at), (DesiredState::Erased, Some(at(2))));
    assert_eq!(erased.spec, TenantSpec::default());
    assert!(erased.sealed_secrets.is_empty() && erased.observed.is_none());
    let filter = AuditFilter { resource_id: Some(uid), ..AuditFilter::default() };
    let rows = store.audit_list(&filter, &PageRequest::first(10)).await.unwrap().items;
    let (entry, hash) = (&rows[0].entry, &rows[0].payload_sha256);
    assert_eq!((&entry.before, &entry.after, &entry.resource_name), (&None, &None, &None));
    assert_eq!((hash.len(), &rows[0].salt), (32, &None));
    // The chain holds, and knows that this was no tampering.
    let seen = store.audit_verify(None, &[]).await.unwrap();
    assert_eq!((seen.rows, seen.erased, seen.faults), (1, 1, 0));
    let events = store.events_after(0, &EventFilter::default(), 10).await.unwrap();
    assert_eq!(events[0].event.data, json!({}));
    assert_eq!(store.operation_fetch(done.id).await.unwrap().unwrap().result, None);
    assert!(store.operation_events_after(done.id, 0, 10).await.unwrap().is_empty());
    // The one that does it goes on telling.
    assert_eq!(store.operation_events_after(erasing.id, 0, 10).await.unwrap().len(), 1);
}

async fn a_shard_gets_what_it_must_know(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    let here = insert(&store, &tenant(account, "here")).await;
    let there = TenantInsert { shard: Some(shard(2)), ..tenant(account, "there") };
    insert(&store, &there).await;
    let gone = insert(&store, &tenant(account, "gone")).await;
    let gone = erase(&store, gone.uid).await;
    let names = async || -> Vec<String> {
        let of = store.tenants_of_shard(shard(1)).await.unwrap();
        of.iter().map(|tenant| tenant.name.to_string()).collect()
    };
    assert_eq!(names().await, ["gone", "here"]);
    let confirm = |phase| TenantObservation {
        observed: TenantObserved { slot: None, ..observed(&gone, phase) },
        state: None,
        message: None,
        now: at(9),
    };
    for (phase, left) in [
        (ObservedPhase::Converging, vec!["gone", "here"]),
        (ObservedPhase::Converged, vec!["here"]),
    ] {
        let mut txn = store.begin().await.unwrap();
        let recorded = txn.tenant_record_observed(&confirm(phase)).await.unwrap();
        assert!(matches!(recorded, TenantRecorded::Changed(_)), "{recorded:?}");
        assert_eq!(recorded.record().observed, None);
        let recorded = txn.tenant_record_observed(&confirm(phase)).await.unwrap();
        assert!(matches!(recorded, TenantRecorded::Unchanged(_)), "{recorded:?}");
        txn.commit().await.unwrap();
        assert_eq!(names().await, left);
    }
    set_state(&store, here.uid, &[TenantState::Deleted], at(10)).await;
    assert_eq!(names().await, ["here"]);
}

async fn deleted_tenants_come_due(registry: &Registry) {
    let store = registry.open().await;
    let account = furnish(&store).await;
    for (called, seconds, desired) in [
        ("old", 10, DesiredState::Deleted),
        ("older", 5, DesiredState::Deleted),
        ("young", 50, DesiredState::Deleted),
        ("returning", 1, DesiredState::Active),
    ] {
        let uid = insert(&store, &TenantInsert { desired, ..tenant(account, called) }).await.uid;
        set_state(&store, uid, &[TenantState::Deleted], at(seconds)).await;
    }
    let due = store.tenants_due_erasure(at(50), 10).await.unwrap();
    let names: Vec<&str> = due.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(names, ["older", "old"]);
    assert_eq!(store.tenants_due_erasure(at(50), 1).await.unwrap().len(), 1);
    assert_eq!(store.tenant_counts().await.unwrap(), [(TenantState::Deleted, 4)]);
}
