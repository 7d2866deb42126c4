//! Webhooks and their deliveries.

use aipress_store::*;
use aipress_types::*;
use serde_json::json;
use uuid::Uuid;

use crate::backends::Registry;
use crate::records::*;

crate::on_each_backend!(webhooks_are_kept_and_removed_whole, deliveries_come_in_order);

fn webhook(account: AccountId, seconds: i64) -> WebhookRecord {
    WebhookRecord {
        id: WebhookId(Uuid::new_v4()),
        account,
        url: "https://example.org/hook".to_owned(),
        description: "for the bakery".to_owned(),
        kinds: vec!["tenant.*".to_owned()],
        tenant: Some(TenantUid(Uuid::new_v4())),
        shard: Some(shard(2)),
        platform: false,
        active: true,
        message: None,
        failing_since: Some(at(1)),
        position: 7,
        sealed_secret: vec![1, 2],
        sealed_previous: Some(vec![3]),
        previous_until: Some(at(9)),
        created_at: at(seconds),
        updated_at: at(seconds),
    }
}

fn delivery(webhook: WebhookId, kind: &str) -> DeliveryRecord {
    DeliveryRecord {
        id: DeliveryId(Uuid::new_v4()),
        webhook,
        event: Some(4),
        kind: kind.to_owned(),
        body: "{}".to_owned(),
        state: DeliveryState::Pending,
        attempts: 0,
        next_at: Some(at(0)),
        log: vec![json!({"status": 500})],
        created_at: at(0),
        finished_at: None,
    }
}

async fn put(store: &Store, deliveries: &[&DeliveryRecord]) {
    let mut txn = store.begin().await.unwrap();
    for delivery in deliveries {
        txn.delivery_put(delivery).await.unwrap();
    }
    txn.commit().await.unwrap();
}

async fn webhooks_are_kept_and_removed_whole(registry: &Registry) {
    let store = registry.open().await;
    let (ours, theirs) = (account("ours"), account("theirs"));
    let mut txn = store.begin().await.unwrap();
    txn.account_insert(&ours).await.unwrap();
    txn.account_insert(&theirs).await.unwrap();
    let mut hooks = [webhook(ours.id, 1), webhook(ours.id, 2), webhook(theirs.id, 3)];
    for hook in &hooks {
        txn.webhook_put(hook).await.unwrap();
    }
    txn.commit().await.unwrap();
    assert_eq!(store.webhook_fetch(hooks[0].id).await.unwrap(), Some(hooks[0].clone()));
    assert_eq!(store.webhook_counts(ours.id).await.unwrap(), (2, 3));
    let first = store.webhook_list(Some(&[ours.id]), &PageRequest::first(1)).await.unwrap();
    assert_eq!(first.items, [hooks[1].clone()]);
    let next = PageRequest::after(1, first.next.unwrap());
    let second = store.webhook_list(Some(&[ours.id]), &next).await.unwrap();
    assert_eq!((second.items, second.next), (vec![hooks[0].clone()], None));
    assert_eq!(store.webhook_list(None, &PageRequest::first(9)).await.unwrap().items.len(), 3);

    let of_paused = delivery(hooks[0].id, "old");
    hooks[0].active = false;
    hooks[0].sealed_previous = None;
    let mut txn = store.begin().await.unwrap();
    txn.webhook_put(&hooks[0]).await.unwrap();
    txn.delivery_put(&of_paused).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(store.webhook_fetch(hooks[0].id).await.unwrap(), Some(hooks[0].clone()));
    assert_eq!(store.webhooks_active().await.unwrap(), hooks[1..]);
    assert!(store.deliveries_due(at(5), 9).await.unwrap().is_empty());
    let mut txn = store.begin().await.unwrap();
    assert!(txn.webhook_delete(hooks[0].id).await.unwrap());
    assert!(!txn.webhook_delete(hooks[0].id).await.unwrap());
    txn.commit().await.unwrap();
    assert_eq!(store.delivery_fetch(of_paused.id).await.unwrap(), None);
}

async fn deliveries_come_in_order(registry: &Registry) {
    let store = registry.open().await;
    let ours = account("ours");
    let hook = webhook(ours.id, 0);
    let mut txn = store.begin().await.unwrap();
    txn.account_insert(&ours).await.unwrap();
    txn.webhook_put(&hook).await.unwrap();
    txn.commit().await.unwrap();
    let [mut one, mut two, three] = ["1", "2", "3"].map(|kind| delivery(hook.id, kind));
    put(&store, &[&one, &two, &three]).await;
    let next = async |seconds| {
        let next = store.delivery_next(hook.id, at(seconds), 2).await.unwrap();
        next.map(|delivery| delivery.kind).unwrap_or_default()
    };
    assert_eq!(store.delivery_fetch(one.id).await.unwrap(), Some(one.clone()));
    assert_eq!(next(0).await, "1");
    // It failed once: what comes after it waits. It failed twice: that goes past it.
    (one.attempts, one.next_at) = (1, Some(at(10)));
    put(&store, &[&one]).await;
    assert_eq!((next(9).await.as_str(), next(10).await.as_str()), ("", "1"));
    (one.attempts, one.next_at) = (2, Some(at(20)));
    put(&store, &[&one]).await;
    assert_eq!(next(12).await, "2");
    (two.state, two.next_at, two.finished_at) = (DeliveryState::Delivered, None, Some(at(12)));
    put(&store, &[&two]).await;
    assert_eq!(next(12).await, "3");
    assert_eq!(store.deliveries_pending(hook.id).await.unwrap(), 2);
    assert_eq!(store.deliveries_due(at(0), 9).await.unwrap(), [hook.id]);
    put(&store, &[&DeliveryRecord { state: DeliveryState::Failed, next_at: None, ..three }]).await;
    assert_eq!((next(19).await.as_str(), next(20).await.as_str()), ("", "1"));
    assert!(store.deliveries_due(at(19), 9).await.unwrap().is_empty());

    let filter = DeliveryFilter { webhook: hook.id, state: None };
    let page = store.delivery_list(&filter, &PageRequest::first(2)).await.unwrap();
    let kinds = |page: &Page<DeliveryRecord, TimeCursor>| {
        page.items.iter().map(|delivery| delivery.kind.clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&page), ["3", "2"]);
    let rest = PageRequest::after(2, page.next.unwrap());
    assert_eq!(kinds(&store.delivery_list(&filter, &rest).await.unwrap()), ["1"]);
    let failed = DeliveryFilter { state: Some(DeliveryState::Failed), ..filter };
    let page = store.delivery_list(&failed, &PageRequest::first(9)).await.unwrap();
    assert_eq!(kinds(&page), ["3"]);

    let mut txn = store.begin().await.unwrap();
    assert_eq!(txn.deliveries_sweep(at(0), 9).await.unwrap(), 0);
    assert_eq!(txn.deliveries_sweep(at(1), 9).await.unwrap(), 2);
    txn.commit().await.unwrap();
    assert_eq!(store.deliveries_pending(hook.id).await.unwrap(), 1);
}
