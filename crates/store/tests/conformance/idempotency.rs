//! Mutations that are sent twice and happen once.

use aipress_store::*;
use aipress_types::*;
use serde_json::json;
use time::Duration;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    a_request_happens_once,
    a_key_is_of_one_request_and_one_caller,
    a_released_key_is_new_again,
    a_dead_process_blocks_nobody,
    an_abandoned_claim_is_given_on_and_fenced,
    an_expired_key_is_new_again,
    the_answer_and_the_change_are_one,
    only_what_expired_is_swept,
);

const DAY: Duration = Duration::DAY;

fn request(caller: &str, key: &str) -> IdempotencyRequest {
    IdempotencyRequest {
        caller: caller.to_owned(),
        key: key.to_owned(),
        method: "POST".to_owned(),
        path: "/v1/tenants".to_owned(),
        body_sha256: [5; 32],
    }
}

fn answer() -> IdempotencyFinish {
    IdempotencyFinish {
        status: 202,
        body: json!({ "id": "op" }),
        showed_secret: true,
        tenant: Some(TenantUid(uuid::Uuid::new_v4())),
        operation: Some(OperationId(uuid::Uuid::new_v4())),
    }
}

async fn begin(store: &Store, request: &IdempotencyRequest, now: i64) -> IdempotencyOutcome {
    store.idempotency_begin(request, at(now), DAY).await.unwrap()
}

async fn claim(store: &Store, request: &IdempotencyRequest, now: i64) -> IdempotencyClaim {
    match begin(store, request, now).await {
        IdempotencyOutcome::New(claim) => claim,
        other => panic!("{other:?}"),
    }
}

async fn finish(store: &Store, claim: &IdempotencyClaim, now: i64) -> Result<(), StoreError> {
    let mut txn = store.begin().await.unwrap();
    txn.idempotency_finish(claim, &answer(), at(now)).await?;
    txn.commit().await
}

async fn a_request_happens_once(registry: &Registry) {
    let store = registry.open().await;
    let request = request("user:1", "k");
    let claim = claim(&store, &request, 0).await;
    assert_eq!(begin(&store, &request, 1).await, IdempotencyOutcome::InFlight);
    assert_eq!(store.idempotency_fetch("user:1", "k").await.unwrap(), None);
    let answer = answer();
    let mut txn = store.begin().await.unwrap();
    txn.idempotency_finish(&claim, &answer, at(2)).await.unwrap();
    txn.commit().await.unwrap();
    let outcome = begin(&store, &request, 3).await;
    let IdempotencyOutcome::Replay(kept) = outcome else { panic!("{outcome:?}") };
    assert_eq!((kept.status, kept.showed_secret), (202, true));
    assert_eq!((kept.body.clone(), kept.tenant), (answer.body, answer.tenant));
    assert_eq!((kept.operation, kept.expires_at), (answer.operation, at(0) + DAY));
    assert_eq!(store.idempotency_fetch("user:1", "k").await.unwrap(), Some(kept));
    // Another process gives the same answer.
    let next = registry.open().await;
    assert!(matches!(begin(&next, &request, 4).await, IdempotencyOutcome::Replay(_)));
}

async fn a_key_is_of_one_request_and_one_caller(registry: &Registry) {
    let store = registry.open().await;
    let first = request("user:1", "k");
    let held = claim(&store, &first, 0).await;
    let others = [
        IdempotencyRequest { body_sha256: [6; 32], ..first.clone() },
        IdempotencyRequest { path: "/v1/other".to_owned(), ..first.clone() },
        IdempotencyRequest { method: "PATCH".to_owned(), ..first.clone() },
    ];
    for other in &others {
        assert_eq!(begin(&store, other, 1).await, IdempotencyOutcome::Mismatch);
    }
    finish(&store, &held, 2).await.unwrap();
    for other in &others {
        assert_eq!(begin(&store, other, 3).await, IdempotencyOutcome::Mismatch);
    }
    claim(&store, &request("user:2", "k"), 4).await;
}

async fn a_released_key_is_new_again(registry: &Registry) {
    let store = registry.open().await;
    let request = request("user:1", "k");
    let first = claim(&store, &request, 0).await;
    store.idempotency_release(&first).await.unwrap();
    let second = claim(&store, &request, 1).await;
    // The first claimant, releasing twice, does not touch the second's claim.
    store.idempotency_release(&first).await.unwrap();
    assert_eq!(begin(&store, &request, 2).await, IdempotencyOutcome::InFlight);
    finish(&store, &second, 3).await.unwrap();
    store.idempotency_release(&second).await.unwrap();
    assert!(matches!(begin(&store, &request, 4).await, IdempotencyOutcome::Replay(_)));
}

async fn a_dead_process_blocks_nobody(registry: &Registry) {
    let store = registry.open().await;
    let request = request("user:1", "k");
    claim(&store, &request, 0).await;
    drop(store);
    let next = registry.open().await;
    claim(&next, &request, 1).await;
    assert_eq!(begin(&next, &request, 2).await, IdempotencyOutcome::InFlight);
}

async fn an_abandoned_claim_is_given_on_and_fenced(registry: &Registry) {
    let store = registry.open().await;
    let request = request("user:1", "k");
    let slow = claim(&store, &request, 0).await;
    let late = IDEMPOTENCY_IN_FLIGHT_MAX_S;
    assert_eq!(begin(&store, &request, late - 1).await, IdempotencyOutcome::InFlight);
    let fast = claim(&store, &request, late).await;
    let error = finish(&store, &slow, late + 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { .. }), "{error:?}");
    finish(&store, &fast, late + 1).await.unwrap();
}

async fn an_expired_key_is_new_again(registry: &Registry) {
    let store = registry.open().await;
    let request = request("user:1", "k");
    let first = claim(&store, &request, 0).await;
    finish(&store, &first, 1).await.unwrap();
    let day = DAY.whole_seconds();
    assert!(matches!(begin(&store, &request, day - 1).await, IdempotencyOutcome::Replay(_)));
    let other = IdempotencyRequest { body_sha256: [6; 32], ..request };
    claim(&store, &other, day).await;
}

async fn the_answer_and_the_change_are_one(registry: &Registry) {
    let store = registry.open().await;
    let request = request("user:1", "k");
    let held = claim(&store, &request, 0).await;
    let mut txn = store.begin().await.unwrap();
    txn.setting_put("changed", &json!(true), at(1)).await.unwrap();
    txn.idempotency_finish(&held, &answer(), at(1)).await.unwrap();
    drop(txn);
    drop(store);
    let next = registry.open().await;
    assert_eq!(next.setting_fetch("changed").await.unwrap(), None);
    claim(&next, &request, 2).await;
}

async fn only_what_expired_is_swept(registry: &Registry) {
    let store = registry.open().await;
    for (key, now) in [("a", 0), ("b", 1), ("c", 100)] {
        let held = claim(&store, &request("user:1", key), now).await;
        finish(&store, &held, now).await.unwrap();
    }
    let mut txn = store.begin().await.unwrap();
    let now = at(50) + DAY;
    assert_eq!(txn.idempotency_sweep(now, 1).await.unwrap(), 1);
    assert_eq!(txn.idempotency_sweep(now, 10).await.unwrap(), 1);
    assert_eq!(txn.idempotency_sweep(now, 10).await.unwrap(), 0);
    txn.commit().await.unwrap();
    assert!(store.idempotency_fetch("user:1", "c").await.unwrap().is_some());
}
