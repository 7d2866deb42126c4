//! All or nothing, one writer at a time, readers undisturbed.

use aipress_store::*;
use futures_util::future::join_all;
use serde_json::json;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(
    what_is_dropped_never_was,
    a_refused_write_spoils_its_transaction,
    a_reader_sees_the_last_commit_while_somebody_writes,
    writers_take_turns,
    writers_of_two_processes_take_turns,
    a_cancelled_wait_holds_nothing,
);

async fn what_is_dropped_never_was(registry: &Registry) {
    let store = registry.open().await;
    let mut txn = store.begin().await.unwrap();
    txn.setting_put("a", &json!(1), at(0)).await.unwrap();
    assert_eq!(txn.setting_fetch("a").await.unwrap(), Some(json!(1)));
    drop(txn);
    let mut txn = store.begin().await.unwrap();
    assert_eq!(txn.setting_fetch("a").await.unwrap(), None);
    txn.setting_put("b", &json!(1), at(0)).await.unwrap();
    txn.rollback().await.unwrap();
    assert_eq!(store.setting_fetch("b").await.unwrap(), None);
}

async fn a_refused_write_spoils_its_transaction(registry: &Registry) {
    let store = registry.open().await;
    let account = account("Crumbs");
    let mut txn = store.begin().await.unwrap();
    txn.setting_put("a", &json!(1), at(0)).await.unwrap();
    txn.account_insert(&account).await.unwrap();
    let error = txn.account_insert(&account).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { rule: ConflictRule::Other }), "{error:?}");
    txn.setting_put("b", &json!(1), at(0)).await.unwrap_err();
    txn.commit().await.unwrap_err();
    assert_eq!(store.setting_fetch("a").await.unwrap(), None);
    // The next one is not concerned.
    let mut txn = store.begin().await.unwrap();
    txn.account_insert(&account).await.unwrap();
    txn.commit().await.unwrap();
}

async fn a_reader_sees_the_last_commit_while_somebody_writes(registry: &Registry) {
    let store = registry.open().await;
    let mut txn = store.begin().await.unwrap();
    txn.setting_put("a", &json!(1), at(0)).await.unwrap();
    txn.commit().await.unwrap();
    let mut txn = store.begin().await.unwrap();
    txn.setting_put("a", &json!(2), at(0)).await.unwrap();
    assert_eq!(store.setting_fetch("a").await.unwrap(), Some(json!(1)));
    let elsewhere = registry.open().await;
    assert_eq!(elsewhere.setting_fetch("a").await.unwrap(), Some(json!(1)));
    txn.commit().await.unwrap();
    assert_eq!(store.setting_fetch("a").await.unwrap(), Some(json!(2)));
    assert_eq!(elsewhere.setting_fetch("a").await.unwrap(), Some(json!(2)));
}

async fn count_up(store: &Store) {
    let mut txn = store.begin().await.unwrap();
    let count = txn.setting_fetch("count").await.unwrap().and_then(|value| value.as_u64());
    txn.setting_put("count", &json!(count.unwrap_or(0) + 1), at(0)).await.unwrap();
    txn.commit().await.unwrap();
}

async fn writers_take_turns(registry: &Registry) {
    let store = registry.open().await;
    join_all((0..50).map(|_| count_up(&store))).await;
    assert_eq!(store.setting_fetch("count").await.unwrap(), Some(json!(50)));
}

async fn writers_of_two_processes_take_turns(registry: &Registry) {
    let (one, two) = (registry.open().await, registry.open().await);
    join_all((0..40).map(|turn| count_up(if turn % 2 == 0 { &one } else { &two }))).await;
    assert_eq!(one.setting_fetch("count").await.unwrap(), Some(json!(40)));
}

async fn a_cancelled_wait_holds_nothing(registry: &Registry) {
    let store = registry.open().await;
    for _ in 0..20 {
        let held = store.begin().await.unwrap();
        // Polled once, then dropped: a handler whose client went away.
        let waiting = store.begin();
        futures_util::pin_mut!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        held.rollback().await.unwrap();
        let begun = store.begin();
        futures_util::pin_mut!(begun);
        let _ = futures_util::poll!(begun.as_mut());
    }
    count_up(&store).await;
    assert_eq!(store.setting_fetch("count").await.unwrap(), Some(json!(1)));
}
