//! Leases on operations and their fencing.

use aipress_store::*;
use aipress_types::*;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    a_lease_is_one_owners_until_it_is_over,
    whoever_lost_the_lease_writes_nothing,
    a_released_lease_is_free_and_its_number_is_used_up,
    a_finished_operation_has_no_lease,
);

async fn running(store: &Store) -> OperationId {
    let account = furnish(store).await;
    let of = insert(store, &tenant(account, "bakery")).await;
    let insert = operation(&of, "tenant.create", 0);
    let mut txn = store.begin().await.unwrap();
    txn.operation_insert(&insert).await.unwrap();
    txn.commit().await.unwrap();
    insert.id
}

async fn acquire(store: &Store, id: OperationId, owner: &str, now: i64) -> Option<OperationLease> {
    let mut txn = store.begin().await.unwrap();
    let lease = txn.operation_lease_acquire(id, owner, at(now), at(now + 10)).await.unwrap();
    txn.commit().await.unwrap();
    lease
}

fn is_fenced<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Fenced { .. }))
}

async fn a_lease_is_one_owners_until_it_is_over(registry: &Registry) {
    let store = registry.open().await;
    let id = running(&store).await;
    let first = acquire(&store, id, "one", 0).await.unwrap();
    assert_eq!((first.fencing, first.until), (1, at(10)));
    assert_eq!(acquire(&store, id, "two", 9).await, None);
    let mut txn = store.begin().await.unwrap();
    let renewed = txn.operation_lease_renew(id, 1, at(20)).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!((renewed.owner.as_str(), renewed.until), ("one", at(20)));
    assert_eq!(acquire(&store, id, "two", 19).await, None);
    let second = acquire(&store, id, "two", 20).await.unwrap();
    assert_eq!(second.fencing, 2);
    let record = store.operation_fetch(id).await.unwrap().unwrap();
    assert_eq!(record.lease, Some(second));
    // The same owner, started again, need not wait, but gets a new number.
    assert_eq!(acquire(&store, id, "two", 21).await.unwrap().fencing, 3);
}

async fn whoever_lost_the_lease_writes_nothing(registry: &Registry) {
    let store = registry.open().await;
    let id = running(&store).await;
    let lost = acquire(&store, id, "one", 0).await.unwrap();
    let held = acquire(&store, id, "two", 10).await.unwrap();
    let mut txn = store.begin().await.unwrap();
    assert!(is_fenced(txn.operation_fence(id, lost.fencing).await));
    assert!(is_fenced(txn.operation_lease_renew(id, lost.fencing, at(99)).await));
    txn.operation_lease_release(id, lost.fencing).await.unwrap();
    txn.operation_fence(id, held.fencing).await.unwrap();
    txn.commit().await.unwrap();
    assert!(!StoreError::Fenced { id: String::new() }.is_retryable());
}

async fn a_released_lease_is_free_and_its_number_is_used_up(registry: &Registry) {
    let store = registry.open().await;
    let id = running(&store).await;
    let lease = acquire(&store, id, "one", 0).await.unwrap();
    let mut txn = store.begin().await.unwrap();
    txn.operation_lease_release(id, lease.fencing).await.unwrap();
    assert!(is_fenced(txn.operation_fence(id, lease.fencing).await));
    txn.commit().await.unwrap();
    assert_eq!(acquire(&store, id, "two", 1).await.unwrap().fencing, 2);
}

async fn a_finished_operation_has_no_lease(registry: &Registry) {
    let store = registry.open().await;
    let id = running(&store).await;
    let lease = acquire(&store, id, "one", 0).await.unwrap();
    let mut txn = store.begin().await.unwrap();
    txn.operation_finish(id, &OperationOutcome::Succeeded(None), at(1)).await.unwrap();
    assert!(is_fenced(txn.operation_fence(id, lease.fencing).await));
    txn.commit().await.unwrap();
    assert_eq!(acquire(&store, id, "one", 2).await, None);
    assert_eq!(store.operation_fetch(id).await.unwrap().unwrap().lease, None);
}
