//! Events into deliveries: for each webhook those that fit, together with its place in the feed.

use std::collections::BTreeMap;
use std::sync::Arc;

use aipress_store::DeliveryRecord;
use aipress_store::DeliveryState;
use aipress_store::EventFilter;
use aipress_store::EventRecord;
use aipress_store::StoreError;
use aipress_store::WebhookRecord;
use aipress_types::DeliveryId;
use aipress_types::WebhookId;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::ring::view;
use crate::webhooks::Webhooks;

/// Deliveries of one webhook that wait at most; more events wait in the outbox.
const PENDING_MAX: u64 = 1_000;
/// A place that moved by so many events without a delivery is written down.
const WRITE_PLACE_EVERY: u64 = 1_000;

/// How far each webhook looked, beyond what is written down.
#[derive(Debug, Default)]
pub(super) struct FanOut {
    places: BTreeMap<WebhookId, u64>,
}

impl FanOut {
    /// Takes every webhook as far as the feed goes, or as it has room for.
    pub(super) async fn round(&mut self, webhooks: &Webhooks) -> Result<(), StoreError> {
        let active = webhooks.store.webhooks_active().await?;
        self.places.retain(|id, _| active.iter().any(|webhook| webhook.id == *id));
        for webhook in active {
            while self.step(webhooks, &webhook).await? {}
        }
        Ok(())
    }

    /// One batch for one webhook; whether there may be more.
    async fn step(
        &mut self,
        webhooks: &Webhooks,
        webhook: &WebhookRecord,
    ) -> Result<bool, StoreError> {
        let known = self.places.get(&webhook.id).copied().unwrap_or(0);
        let from = known.max(webhook.position);
        let filter = filter(webhook);
        let taken = webhooks.feed.after(from, &filter).await?;
        if taken.upto == from {
            return Ok(false);
        }
        if taken.events.is_empty() && taken.upto - webhook.position < WRITE_PLACE_EVERY {
            self.places.insert(webhook.id, taken.upto);
            return Ok(true);
        }
        let mut txn = webhooks.store.begin().await?;
        let now = webhooks.clock.now();
        // Under the lock: it may have been changed or removed meanwhile.
        let Some(mut current) = txn.webhook_fetch(webhook.id).await? else {
            return Ok(false);
        };
        if !current.active || current.position > from || self::filter(&current) != filter {
            return Ok(false);
        }
        let pending = txn.deliveries_pending(webhook.id).await?;
        let room = usize::try_from(PENDING_MAX.saturating_sub(pending)).unwrap_or(usize::MAX);
        if room == 0 {
            return Ok(false);
        }
        let mut upto = taken.upto;
        if taken.events.len() > room {
            // Up to what there is room for; the rest when some are delivered.
            upto = taken.events[room - 1].record.id;
        }
        for event in taken.events.iter().take(room) {
            let delivery = delivery(webhook.id, &event.record, now);
            txn.delivery_put(&delivery).await?;
        }
        current.position = upto;
        txn.webhook_put(&current).await?;
        txn.commit().await?;
        self.places.insert(webhook.id, upto);
        webhooks.due.add(webhook.id);
        Ok(upto == taken.upto)
    }
}

/// What a webhook is told of.
fn filter(webhook: &WebhookRecord) -> EventFilter {
    EventFilter {
        accounts: (!webhook.platform).then(|| vec![webhook.account]),
        tenant: webhook.tenant,
        shard: webhook.shard,
        kinds: webhook.kinds.clone(),
    }
}

fn delivery(webhook: WebhookId, event: &Arc<EventRecord>, now: OffsetDateTime) -> DeliveryRecord {
    let view = view(event);
    let at = view.at.format(&Rfc3339).unwrap_or_default();
    let body = serde_json::json!({ "type": view.kind, "timestamp": at, "data": view });
    make(webhook, Some(event.id), &event.event.kind, &body, now)
}

/// A delivery that is due at once.
pub fn make(
    webhook: WebhookId,
    event: Option<u64>,
    kind: &str,
    body: &serde_json::Value,
    now: OffsetDateTime,
) -> DeliveryRecord {
    DeliveryRecord {
        id: DeliveryId(Uuid::new_v4()),
        webhook,
        event,
        kind: kind.to_owned(),
        body: body.to_string(),
        state: DeliveryState::Pending,
        attempts: 0,
        next_at: Some(now),
        log: Vec::new(),
        created_at: now,
        finished_at: None,
    }
}
