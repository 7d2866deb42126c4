//! Operations, their steps and events.

use aipress_store::*;
use aipress_types::*;
use serde_json::json;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    an_operation_runs_from_pending_to_its_end,
    an_end_is_final,
    steps_are_put_by_name,
    unfinished_ones_are_found_again,
    lists_are_filtered_and_paged_newest_first,
    events_have_numbers_without_gaps,
);

async fn made(store: &Store) -> TenantRecord {
    let account = furnish(store).await;
    insert(store, &tenant(account, "bakery")).await
}

async fn an_operation_runs_from_pending_to_its_end(registry: &Registry) {
    let store = registry.open().await;
    let insert = operation(&made(&store).await, "tenant.create", 1);
    let mut txn = store.begin().await.unwrap();
    let record = txn.operation_insert(&insert).await.unwrap();
    assert_eq!(record.state, OperationState::Pending);
    let names: Vec<_> = record.steps.iter().map(|step| (step.seq, step.name.as_str())).collect();
    assert_eq!(names, [(1, "slot"), (2, "database")]);
    assert!(record.steps.iter().all(|step| step.state == StepState::Pending));
    assert!(txn.operation_start(insert.id, at(2)).await.unwrap());
    assert!(!txn.operation_start(insert.id, at(3)).await.unwrap());
    txn.operation_set_generation(insert.id, 5).await.unwrap();
    let result = json!({ "url": "http://bakery.localhost:8080/" });
    let outcome = OperationOutcome::Succeeded(Some(result.clone()));
    assert!(txn.operation_finish(insert.id, &outcome, at(4)).await.unwrap());
    txn.commit().await.unwrap();
    let record = store.operation_fetch(insert.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.generation), (OperationState::Succeeded, 5));
    assert_eq!((record.started_at, record.finished_at), (Some(at(2)), Some(at(4))));
    assert_eq!((record.result, record.error), (Some(result), None));
    assert_eq!(record.tenant_name, insert.tenant_name);
}

async fn an_end_is_final(registry: &Registry) {
    let store = registry.open().await;
    let of = made(&store).await;
    let mut txn = store.begin().await.unwrap();
    let why = json!({ "code": "no_room" });
    for (outcome, state) in [
        (OperationOutcome::Failed(why.clone()), OperationState::Failed),
        (OperationOutcome::Canceled(Some(why.clone())), OperationState::Canceled),
    ] {
        let insert = operation(&of, "tenant.create", 1);
        txn.operation_insert(&insert).await.unwrap();
        assert!(txn.operation_finish(insert.id, &outcome, at(2)).await.unwrap());
        let late = OperationOutcome::Succeeded(None);
        assert!(!txn.operation_finish(insert.id, &late, at(3)).await.unwrap());
        assert!(!txn.operation_start(insert.id, at(3)).await.unwrap());
        let record = txn.operation_fetch(insert.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.finished_at), (state, Some(at(2))));
        assert_eq!(record.error.as_ref(), Some(&why));
    }
    let unknown = OperationId(uuid::Uuid::new_v4());
    let error = txn.operation_start(unknown, at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { noun: "operation", .. }), "{error:?}");
    txn.commit().await.unwrap();
}

async fn steps_are_put_by_name(registry: &Registry) {
    let store = registry.open().await;
    let insert = operation(&made(&store).await, "tenant.create", 1);
    let mut txn = store.begin().await.unwrap();
    txn.operation_insert(&insert).await.unwrap();
    let running = OperationStepPut {
        name: "database".to_owned(),
        title: None,
        state: StepState::Running,
        started_at: Some(at(2)),
        finished_at: None,
        duration_ms: None,
        message: None,
    };
    assert!(txn.operation_step_put(insert.id, &running).await.unwrap());
    assert!(!txn.operation_step_put(insert.id, &running).await.unwrap());
    let done = OperationStepPut {
        state: StepState::Succeeded,
        started_at: None,
        finished_at: Some(at(3)),
        duration_ms: Some(46),
        ..running.clone()
    };
    assert!(txn.operation_step_put(insert.id, &done).await.unwrap());
    let unforeseen = OperationStepPut { name: "certificate".to_owned(), ..running };
    assert!(txn.operation_step_put(insert.id, &unforeseen).await.unwrap());
    txn.commit().await.unwrap();
    let steps = store.operation_fetch(insert.id).await.unwrap().unwrap().steps;
    assert_eq!(steps.len(), 3);
    let database = &steps[1];
    assert_eq!((database.started_at, database.finished_at), (Some(at(2)), Some(at(3))));
    assert_eq!((database.title.as_str(), database.duration_ms), ("Make the database", Some(46)));
    assert_eq!((steps[2].seq, steps[2].title.as_str()), (3, "certificate"));
}

async fn unfinished_ones_are_found_again(registry: &Registry) {
    let store = registry.open().await;
    let of = made(&store).await;
    let other = insert(&store, &tenant(of.account, "other")).await;
    let (first, second) = (operation(&of, "tenant.create", 1), operation(&of, "tenant.update", 2));
    let elsewhere = operation(&other, "tenant.create", 3);
    let mut txn = store.begin().await.unwrap();
    for insert in [&second, &elsewhere, &first] {
        txn.operation_insert(insert).await.unwrap();
    }
    let ids = |found: Vec<OperationRecord>| -> Vec<_> { found.iter().map(|op| op.id).collect() };
    let of_tenant = ids(txn.operations_unfinished_of(of.uid).await.unwrap());
    assert_eq!(of_tenant, [first.id, second.id]);
    let outcome = OperationOutcome::Canceled(None);
    txn.operation_finish(first.id, &outcome, at(4)).await.unwrap();
    txn.commit().await.unwrap();
    drop(store);
    let store = registry.open().await;
    let all = ids(store.operations_unfinished(10).await.unwrap());
    assert_eq!(all, [second.id, elsewhere.id]);
    assert_eq!(ids(store.operations_unfinished_of(of.uid).await.unwrap()), [second.id]);
}

async fn lists_are_filtered_and_paged_newest_first(registry: &Registry) {
    let store = registry.open().await;
    let of = made(&store).await;
    let mut txn = store.begin().await.unwrap();
    let mut newest_first = Vec::new();
    for turn in 0..7 {
        // Two a second: ties are broken by id.
        let insert = operation(&of, "tenant.update", turn / 2);
        txn.operation_insert(&insert).await.unwrap();
        newest_first.push((insert.now, insert.id.to_string()));
    }
    let create = operation(&of, "tenant.create", -1);
    txn.operation_insert(&create).await.unwrap();
    txn.operation_start(create.id, at(9)).await.unwrap();
    txn.commit().await.unwrap();
    newest_first.sort();
    newest_first.reverse();
    newest_first.push((create.now, create.id.to_string()));

    let mut seen = Vec::new();
    let mut page = PageRequest::first(3);
    loop {
        let got = store.operation_list(&OperationFilter::default(), &page).await.unwrap();
        assert!(got.items.len() <= 3 && got.items.iter().all(|op| op.steps.len() == 2));
        seen.extend(got.items.iter().map(|op| (op.created_at, op.id.to_string())));
        let Some(next) = got.next else { break };
        page = PageRequest::after(3, next);
    }
    assert_eq!(seen, newest_first);
    let count = async |filter: OperationFilter| {
        store.operation_list(&filter, &PageRequest::first(100)).await.unwrap().items.len()
    };
    let all = OperationFilter::default;
    assert_eq!(count(OperationFilter { tenant: Some(of.uid), ..all() }).await, 8);
    assert_eq!(count(OperationFilter { kind: Some("tenant.create".into()), ..all() }).await, 1);
    assert_eq!(count(OperationFilter { states: vec![OperationState::Running], ..all() }).await, 1);
    assert_eq!(count(OperationFilter { accounts: Some(vec![]), ..all() }).await, 0);
    assert_eq!(count(OperationFilter { accounts: Some(vec![of.account]), ..all() }).await, 8);
}

async fn events_have_numbers_without_gaps(registry: &Registry) {
    let store = registry.open().await;
    let of = made(&store).await;
    let (one, two) = (operation(&of, "tenant.create", 1), operation(&of, "tenant.update", 2));
    let mut txn = store.begin().await.unwrap();
    txn.operation_insert(&one).await.unwrap();
    txn.operation_insert(&two).await.unwrap();
    txn.commit().await.unwrap();
    for turn in 1..=3 {
        let mut txn = store.begin().await.unwrap();
        let seq = txn.operation_event_append(one.id, "step", &json!(turn), at(turn)).await.unwrap();
        assert_eq!(seq, u64::try_from(turn).unwrap());
        txn.commit().await.unwrap();
        // One that is rolled back leaves no gap.
        let mut txn = store.begin().await.unwrap();
        txn.operation_event_append(one.id, "lost", &json!({}), at(turn)).await.unwrap();
        txn.rollback().await.unwrap();
    }
    let mut txn = store.begin().await.unwrap();
    assert_eq!(txn.operation_event_append(two.id, "step", &json!(1), at(1)).await.unwrap(), 1);
    txn.commit().await.unwrap();
    let events = store.operation_events_after(one.id, 1, 10).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.seq, event.data.clone())).collect();
    assert_eq!(told, [(2, json!(2)), (3, json!(3))]);
    assert_eq!(store.operation_events_after(one.id, 0, 2).await.unwrap().len(), 2);
    let unknown = OperationId(uuid::Uuid::new_v4());
    let mut txn = store.begin().await.unwrap();
    let error = txn.operation_event_append(unknown, "x", &json!(1), at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { rule: ConflictRule::Reference }));
}
