//! One attempt of one delivery, and what is written down of it.

use std::time::Duration;
use std::time::Instant;

use aipress_flow::Outcome;
use aipress_kit::http::outgoing::Bounds;
use aipress_kit::http::outgoing::OutgoingError;
use aipress_kit::random;
use aipress_store::DeliveryRecord;
use aipress_store::DeliveryState;
use aipress_store::EventInsert;
use aipress_store::StoreError;
use aipress_store::WebhookRecord;
use aipress_types::Secret;
use aipress_types::WebhookId;
use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::header;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::kinds::WEBHOOK_PAUSED;
use crate::webhooks::Webhooks;
use crate::webhooks::schedule;
use crate::webhooks::sign;

/// What an attempt may cost.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(5),
    total: Duration::from_secs(15),
    body_max: 64 * 1024,
    redirects: 0,
};
/// Bytes of an answer that are kept.
const ANSWER_KEPT: usize = 1_024;

/// Attempts that are kept of a delivery.
const LOG_MAX: usize = 20;

/// What came of an attempt.
struct Attempt {
    status: Option<u16>,
    duration_ms: u64,
    error: Option<String>,
    answer: Option<String>,
    asked: Option<time::Duration>,
}

/// Sends one delivery of a webhook, if one is due.
pub(super) async fn turn(webhooks: &Webhooks, id: WebhookId) -> Outcome {
    match attempt_next(webhooks, id).await {
        Ok(true) => Outcome::After(Duration::ZERO),
        Ok(false) => Outcome::Done,
        Err(error) => {
            tracing::warn!(webhook = %id, %error, "delivery not recorded; trying again");
            Outcome::Retry
        }
    }
}

async fn attempt_next(webhooks: &Webhooks, id: WebhookId) -> Result<bool, StoreError> {
    let Some(webhook) = webhooks.store.webhook_fetch(id).await?.filter(|webhook| webhook.active)
    else {
        return Ok(false);
    };
    let now = webhooks.clock.now();
    let Some(delivery) = webhooks.store.delivery_next(id, now, schedule::BLOCKING).await? else {
        return Ok(false);
    };
    let attempt = attempt(webhooks, &webhook, &delivery, now).await;
    record(webhooks, &delivery, attempt).await?;
    Ok(true)
}

async fn attempt(
    webhooks: &Webhooks,
    webhook: &WebhookRecord,
    delivery: &DeliveryRecord,
    now: OffsetDateTime,
) -> Attempt {
    let begun = Instant::now();
    let mut attempt = match request(webhooks, webhook, delivery, now) {
        Ok(request) => match call(webhooks, request).await {
            Ok(attempt) => attempt,
            Err(error) => failed(error.to_string()),
        },
        Err(reason) => failed(reason),
    };
    attempt.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    attempt
}

fn failed(reason: String) -> Attempt {
    Attempt { status: None, duration_ms: 0, error: Some(reason), answer: None, asked: None }
}

fn request(
    webhooks: &Webhooks,
    webhook: &WebhookRecord,
    delivery: &DeliveryRecord,
    now: OffsetDateTime,
) -> Result<Request<Bytes>, String> {
    let place = sign::place(webhook.id);
    let open = |blob: &[u8]| {
        let plain = webhooks.sealer.open(&place, blob).map_err(|error| error.to_string())?;
        Ok::<_, String>(Secret::new(String::from_utf8_lossy(&plain).into_owned()))
    };
    let mut secrets = vec![open(&webhook.sealed_secret)?];
    if let (Some(previous), Some(until)) = (&webhook.sealed_previous, webhook.previous_until)
        && now < until
    {
        secrets.push(open(previous)?);
    }
    let id = delivery.id.to_string();
    let timestamp = now.unix_timestamp();
    let signature = sign::signatures(&secrets, &id, timestamp, delivery.body.as_bytes());
    Request::builder()
        .method(Method::POST)
        .uri(&webhook.url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("AIPress-Webhooks/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(Bytes::from(delivery.body.clone()))
        .map_err(|error| error.to_string())
}

async fn call(webhooks: &Webhooks, request: Request<Bytes>) -> Result<Attempt, OutgoingError> {
    let mut answer = webhooks.outgoing.open(request, &BOUNDS).await?;
    let status = answer.status();
    let asked = retry_after(answer.headers());
    let kept = answer.body_mut().first(ANSWER_KEPT).await;
    let text = String::from_utf8_lossy(&kept).into_owned();
    let error = match status.as_u16() {
        200..300 => None,
        300..400 => {
            Some("redirects are not followed: give the address that it leads to".to_owned())
        }
        410 => Some("the endpoint is gone".to_owned()),
        status => Some(format!("the endpoint answered {status}")),
    };
    Ok(Attempt {
        status: Some(status.as_u16()),
        duration_ms: 0,
        error,
        answer: (!text.is_empty()).then_some(text),
        asked,
    })
}

/// Seconds that the endpoint asks for (RFC 9110 section 10.2.3; dates are rare and not read).
fn retry_after(headers: &HeaderMap) -> Option<time::Duration> {
    let seconds: u32 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(time::Duration::seconds(i64::from(seconds)))
}

/// Writes down what came of it: the delivery's fate, and the webhook's where that changes.
async fn record(
    webhooks: &Webhooks,
    sent: &DeliveryRecord,
    attempt: Attempt,
) -> Result<(), StoreError> {
    let mut txn = webhooks.store.begin().await?;
    // Read under the lock, so that times of changes are in the order of commits.
    let now = webhooks.clock.now();
    // It may have been removed meanwhile, with its webhook.
    let Some(mut delivery) = txn.delivery_fetch(sent.id).await? else { return Ok(()) };
    let Some(mut webhook) = txn.webhook_fetch(sent.webhook).await? else { return Ok(()) };
    let before = (webhook.failing_since, webhook.active);
    delivery.attempts += 1;
    delivery.log.push(entry(&attempt, now));
    // More than the attempts of one round only after replays.
    if delivery.log.len() > LOG_MAX {
        delivery.log.remove(0);
    }
    let succeeded = attempt.error.is_none();
    if succeeded {
        delivery.state = DeliveryState::Delivered;
        webhook.failing_since = None;
        webhook.message = None;
    } else {
        let random = random::bytes::<1>().map_or(128, |bytes| bytes[0]);
        let wait = schedule::wait(delivery.attempts, random, attempt.asked);
        delivery.next_at = wait.map(|wait| now + wait);
        if wait.is_none() {
            delivery.state = DeliveryState::Failed;
        }
        pause_if_hopeless(&mut webhook, &attempt, now);
    }
    if delivery.state != DeliveryState::Pending {
        delivery.next_at = None;
        delivery.finished_at = Some(now);
    }
    txn.delivery_put(&delivery).await?;
    if before != (webhook.failing_since, webhook.active) {
        txn.webhook_put(&webhook).await?;
    }
    let paused_now = before.1 && !webhook.active;
    if paused_now {
        tracing::info!(webhook = %webhook.id, "webhook paused");
        txn.event_append(&paused(&webhook, now)).await?;
    }
    txn.commit().await?;
    if paused_now {
        webhooks.feed.wake();
    }
    Ok(())
}

fn pause_if_hopeless(webhook: &mut WebhookRecord, attempt: &Attempt, now: OffsetDateTime) {
    let since = *webhook.failing_since.get_or_insert(now);
    let why = attempt.error.as_deref().unwrap_or("");
    if attempt.status == Some(410) {
        webhook.active = false;
        webhook.message = Some("paused: the endpoint answered 410 Gone".to_owned());
    } else if now - since >= schedule::PAUSE_AFTER {
        webhook.active = false;
        let days = schedule::PAUSE_AFTER.whole_days();
        webhook.message =
            Some(format!("paused: nothing could be delivered for {days} days; {why}"));
    }
}

fn entry(attempt: &Attempt, now: OffsetDateTime) -> Value {
    let mut entry = serde_json::json!({
        "at": now.format(&Rfc3339).unwrap_or_default(),
        "durationMs": attempt.duration_ms,
    });
    if let Some(status) = attempt.status {
        entry["status"] = status.into();
    }
    if let Some(error) = &attempt.error {
        entry["error"] = error.as_str().into();
    }
    if let Some(answer) = &attempt.answer {
        entry["answer"] = answer.as_str().into();
    }
    entry
}

fn paused(webhook: &WebhookRecord, now: OffsetDateTime) -> EventInsert {
    EventInsert {
        at: now,
        kind: WEBHOOK_PAUSED.to_owned(),
        tenant: None,
        shard: None,
        account: Some(webhook.account),
        data: serde_json::json!({
            "webhook": webhook.id,
            "url": webhook.url,
            "message": webhook.message,
        }),
    }
}
