//! Webhooks: made, changed, removed, tried, and their deliveries sent again.

use aipress_api::DeliveryStatus;
use aipress_api::DeliveryView;
use aipress_api::WebhookCreate;
use aipress_api::WebhookPatch;
use aipress_api::WebhookRotate;
use aipress_api::WebhookSecretView;
use aipress_api::WebhookState;
use aipress_api::WebhookView;
use aipress_feed::webhooks;
use aipress_feed::webhooks::sign;
use aipress_store::DeliveryRecord;
use aipress_store::DeliveryState;
use aipress_store::WebhookRecord;
use aipress_types::FieldError;
use aipress_types::Secret;
use aipress_types::WebhookId;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use time::Duration;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::app::plan::planner;
use crate::app::plan::planner::Noted;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::change::Change;
use crate::change::Note;
use crate::codes;
use crate::http::events::list::KINDS_MAX;
use crate::http::events::list::kind;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Longest description.
const DESCRIPTION_MAX: usize = 200;
/// Hours that a replaced secret still signs: at most, and when nothing is said.
const OVERLAP_MAX_HOURS: u32 = 168;
const OVERLAP_HOURS: u32 = 24;
/// In a replay, where the secret was.
const NOTICE: &str = "the secret was shown in the first answer to this request and is not shown \
                      again: rotate it to get a new one";

/// A webhook on the wire.
pub(crate) fn view(webhook: &WebhookRecord) -> WebhookView {
    WebhookView {
        id: webhook.id.0,
        account: webhook.account.0,
        url: webhook.url.clone(),
        description: webhook.description.clone(),
        kinds: webhook.kinds.clone(),
        tenant: webhook.tenant.map(|uid| uid.0),
        shard: webhook.shard.map(|shard| shard.to_string()),
        platform: webhook.platform,
        state: if webhook.active { WebhookState::Active } else { WebhookState::Paused },
        message: webhook.message.clone(),
        failing_since: webhook.failing_since,
        previous_secret_until: webhook.previous_until,
        created_at: webhook.created_at,
        updated_at: webhook.updated_at,
    }
}

/// A delivery on the wire.
pub(crate) fn delivery_view(delivery: &DeliveryRecord) -> DeliveryView {
    DeliveryView {
        id: delivery.id.0,
        webhook: delivery.webhook.0,
        event: delivery.event.map(|id| id.to_string()),
        kind: delivery.kind.clone(),
        state: match delivery.state {
            DeliveryState::Pending => DeliveryStatus::Pending,
            DeliveryState::Delivered => DeliveryStatus::Delivered,
            DeliveryState::Failed => DeliveryStatus::Failed,
        },
        attempts: delivery.attempts,
        next_attempt_at: delivery.next_at,
        log: delivery
            .log
            .iter()
            .filter_map(|entry| serde_json::from_value(entry.clone()).ok())
            .collect(),
        payload: serde_json::from_str(&delivery.body).unwrap_or_default(),
        created_at: delivery.created_at,
        finished_at: delivery.finished_at,
    }
}

/// The webhook `id`, if the caller may do `action` on it.
pub(crate) async fn find(
    plane: &Plane,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<WebhookRecord, ApiError> {
    let found = match id.parse() {
        Ok(webhook) => plane.store.webhook_fetch(webhook).await?,
        Err(_) => None,
    };
    permitted(found, caller, action, id)
}

async fn find_in(
    change: &mut Change<'_>,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<WebhookRecord, ApiError> {
    let found = match id.parse() {
        Ok(webhook) => change.txn.webhook_fetch(webhook).await?,
        Err(_) => None,
    };
    permitted(found, caller, action, id)
}

fn permitted(
    found: Option<WebhookRecord>,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<WebhookRecord, ApiError> {
    let webhook = found.ok_or_else(|| ApiError::not_found("webhook", id))?;
    authorize(caller, action, Resource::Account(webhook.account))
        .map_err(|denied| denied.into_error("webhook", id))?;
    Ok(webhook)
}

/// Makes a webhook of the caller's account.
pub(crate) async fn create(scope: &Scope, body: WebhookCreate) -> Result<Answer, ApiError> {
    let (plane, caller) = (&scope.plane, &scope.caller);
    authorize(caller, Action::WebhookCreate, Resource::Account(caller.account.id))
        .map_err(|denied| denied.into_error("list", "webhooks"))?;
    let mut wrong = Vec::new();
    check(plane, Some(&body.url), Some(&body.description), Some(&body.kinds), &mut wrong);
    if body.platform && authorize(caller, Action::WebhookCreate, Resource::Platform).is_err() {
        wrong.push(FieldError::new("/platform", "only platform-admins are told of all accounts"));
    }
    let shard = match body.shard.as_deref().map(str::parse).transpose() {
        Ok(shard) => shard,
        Err(error) => {
            wrong.push(FieldError::new("/shard", format!("{error}")));
            None
        }
    };
    if !wrong.is_empty() {
        return Err(ApiError::fields(wrong));
    }
    let tenant = match body.tenant.as_deref() {
        Some(id) => {
            let found = tenant::find(plane, caller, Action::TenantRead, id).await;
            let uid = found.map_err(|_| {
                ApiError::field("/tenant", format!("there is no tenant `{id}` that you can see"))
            })?;
            Some(uid.uid)
        }
        None => None,
    };
    let id = WebhookId(Uuid::new_v4());
    let (secret, sealed_secret) = fresh_secret(plane, id)?;
    let mut change = Change::begin(plane).await?;
    let (own, total) = change.txn.webhook_counts(caller.account.id).await?;
    if own >= webhooks::PER_ACCOUNT || total >= webhooks::TOTAL {
        let detail = format!("you have {own} of {} webhooks", webhooks::PER_ACCOUNT);
        return Err(ApiError::new(
            &codes::TOO_MANY_WEBHOOKS,
            format!("{detail}: delete one first"),
        ));
    }
    let webhook = WebhookRecord {
        id,
        account: caller.account.id,
        url: body.url,
        description: body.description,
        kinds: body.kinds,
        tenant,
        shard,
        platform: body.platform,
        active: true,
        message: None,
        failing_since: None,
        // It is told of what happens from now on.
        position: change.txn.events_last_id().await?,
        sealed_secret,
        sealed_previous: None,
        previous_until: None,
        created_at: change.now,
        updated_at: change.now,
    };
    change.txn.webhook_put(&webhook).await?;
    note(&mut change, scope, "webhook.create", None, Some(&webhook)).await?;
    let answer = with_secret(201, &webhook, &secret)?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Changes a webhook.
pub(crate) async fn update(
    scope: &Scope,
    id: &str,
    body: WebhookPatch,
) -> Result<Answer, ApiError> {
    let mut change = Change::begin(&scope.plane).await?;
    let before = find_in(&mut change, &scope.caller, Action::WebhookUpdate, id).await?;
    let mut wrong = Vec::new();
    let (url, description) = (body.url.as_deref(), body.description.as_deref());
    check(&scope.plane, url, description, body.kinds.as_deref(), &mut wrong);
    if !wrong.is_empty() {
        return Err(ApiError::fields(wrong));
    }
    let mut after = before.clone();
    after.url = body.url.unwrap_or(after.url);
    after.description = body.description.unwrap_or(after.description);
    after.kinds = body.kinds.unwrap_or(after.kinds);
    match body.state {
        Some(WebhookState::Active) if !after.active => {
            (after.active, after.message, after.failing_since) = (true, None, None);
        }
        Some(WebhookState::Paused) if after.active => {
            (after.active, after.message) = (false, Some("paused by its owner".to_owned()));
        }
        _ => {}
    }
    if after == before {
        change.noted.push(noted("webhook.update", &before, None));
    } else {
        after.updated_at = change.now;
        change.txn.webhook_put(&after).await?;
        note(&mut change, scope, "webhook.update", Some(&before), Some(&after)).await?;
    }
    let answer = answer(200, &view(&after))?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Removes a webhook with its deliveries.
pub(crate) async fn delete(scope: &Scope, id: &str) -> Result<Answer, ApiError> {
    let mut change = Change::begin(&scope.plane).await?;
    let webhook = find_in(&mut change, &scope.caller, Action::WebhookDelete, id).await?;
    change.txn.webhook_delete(webhook.id).await?;
    note(&mut change, scope, "webhook.delete", Some(&webhook), None).await?;
    let answer = answer(200, &view(&webhook))?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Gives a webhook a new secret; the one before goes on signing for a while.
pub(crate) async fn rotate_secret(
    scope: &Scope,
    id: &str,
    body: &WebhookRotate,
) -> Result<Answer, ApiError> {
    let hours = body.overlap_hours.unwrap_or(OVERLAP_HOURS);
    if hours > OVERLAP_MAX_HOURS {
        let detail = format!("0 to {OVERLAP_MAX_HOURS} hours");
        return Err(ApiError::field("/overlapHours", detail));
    }
    let mut change = Change::begin(&scope.plane).await?;
    let before = find_in(&mut change, &scope.caller, Action::WebhookRotateSecret, id).await?;
    let mut webhook = before.clone();
    let (secret, sealed) = fresh_secret(&scope.plane, webhook.id)?;
    let previous = std::mem::replace(&mut webhook.sealed_secret, sealed);
    (webhook.sealed_previous, webhook.previous_until) = match hours {
        0 => (None, None),
        _ => (Some(previous), Some(change.now + Duration::hours(i64::from(hours)))),
    };
    webhook.updated_at = change.now;
    change.txn.webhook_put(&webhook).await?;
    let made_from = noted("", &before, None).made_from;
    note(&mut change, scope, "webhook.rotate_secret", None, Some(&webhook)).await?;
    if let Some(noted) = change.noted.last_mut() {
        noted.name = webhook.id.to_string();
        noted.made_from = made_from;
        noted.before = Some(json!({ "secret": "the one in use" }));
        noted.after = Some(json!({ "secret": "a new one", "previousSecretHours": hours }));
    }
    let answer = with_secret(200, &webhook, &secret)?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Sends a test.
pub(crate) async fn test(scope: &Scope, id: &str) -> Result<Answer, ApiError> {
    let mut change = Change::begin(&scope.plane).await?;
    let webhook = find_in(&mut change, &scope.caller, Action::WebhookTest, id).await?;
    refuse_paused(&webhook)?;
    let body = serde_json::json!({
        "type": "webhook.test",
        "timestamp": change.now.format(&Rfc3339).unwrap_or_default(),
        "data": { "kind": "webhook.test", "data": { "webhook": webhook.id } },
    });
    let delivery = webhooks::make(webhook.id, None, "webhook.test", &body, change.now);
    change.txn.delivery_put(&delivery).await?;
    let sent = json!({ "kind": "webhook.test", "to": webhook.url });
    change.noted.push(noted("webhook.test", &webhook, Some(json!({ "delivery": sent }))));
    let answer = answer(202, &delivery_view(&delivery))?;
    scope.commit(change, &answer).await?;
    scope.plane.webhooks.wake(webhook.id);
    Ok(answer)
}

/// Sends a delivery again, under its old id.
pub(crate) async fn replay(scope: &Scope, id: &str, delivery: &str) -> Result<Answer, ApiError> {
    let mut change = Change::begin(&scope.plane).await?;
    let webhook = find_in(&mut change, &scope.caller, Action::WebhookReplay, id).await?;
    refuse_paused(&webhook)?;
    let found = match delivery.parse() {
        Ok(id) => change.txn.delivery_fetch(id).await?,
        Err(_) => None,
    };
    let mut found = found
        .filter(|found| found.webhook == webhook.id)
        .ok_or_else(|| ApiError::not_found("delivery", delivery))?;
    let sent = json!({ "id": found.id, "kind": found.kind, "to": webhook.url });
    let made_from =
        json!({ "id": found.id, "state": delivery_view(&found).state, "attempts": found.attempts });
    change.noted.push(Noted {
        made_from: Some(made_from),
        ..noted("webhook.replay", &webhook, Some(json!({ "delivery": sent })))
    });
    (found.state, found.attempts) = (DeliveryState::Pending, 0);
    (found.next_at, found.finished_at) = (Some(change.now), None);
    change.txn.delivery_put(&found).await?;
    let answer = answer(202, &delivery_view(&found))?;
    scope.commit(change, &answer).await?;
    scope.plane.webhooks.wake(webhook.id);
    Ok(answer)
}

fn refuse_paused(webhook: &WebhookRecord) -> Result<(), ApiError> {
    if webhook.active {
        return Ok(());
    }
    let detail = "the webhook is paused: set its state to `active` first";
    Err(ApiError::new(&codes::INVALID_STATE, detail))
}

fn check(
    plane: &Plane,
    url: Option<&str>,
    description: Option<&str>,
    kinds: Option<&[String]>,
    wrong: &mut Vec<FieldError>,
) {
    if let Some(Err(reason)) = url.map(|url| plane.webhooks.config.check_url(url)) {
        wrong.push(FieldError::new("/url", reason));
    }
    if description.is_some_and(|text| text.chars().count() > DESCRIPTION_MAX) {
        let detail = format!("at most {DESCRIPTION_MAX} characters");
        wrong.push(FieldError::new("/description", detail));
    }
    let kinds = kinds.unwrap_or_default();
    if kinds.len() > KINDS_MAX {
        wrong.push(FieldError::new("/kinds", format!("at most {KINDS_MAX}")));
    }
    for (index, text) in kinds.iter().enumerate().take(KINDS_MAX) {
        if let Err(reason) = kind(text) {
            wrong.push(FieldError::new(format!("/kinds/{index}"), reason));
        }
    }
}

fn fresh_secret(plane: &Plane, id: WebhookId) -> Result<(Secret, Vec<u8>), ApiError> {
    let secret = sign::secret().map_err(|error| ApiError::internal("make secret", &error))?;
    let sealed = plane
        .sealer
        .seal(&sign::place(id), secret.expose().as_bytes())
        .map_err(|error| ApiError::internal("seal secret", &error))?;
    Ok((secret, sealed))
}

/// What a plan tells of something that is not in the audit log.
fn noted(action: &str, webhook: &WebhookRecord, after: Option<Value>) -> Noted {
    Noted {
        action: action.to_owned(),
        kind: "webhook",
        name: webhook.id.to_string(),
        made_from: serde_json::to_value(view(webhook)).ok().map(|view| planner::state_of(&view)),
        after,
        ..Noted::default()
    }
}

async fn note(
    change: &mut Change<'_>,
    scope: &Scope,
    action: &str,
    before: Option<&WebhookRecord>,
    after: Option<&WebhookRecord>,
) -> Result<(), ApiError> {
    let told = |webhook: &WebhookRecord| serde_json::to_value(view(webhook)).ok();
    let Some(webhook) = after.or(before) else { return Ok(()) };
    let note = Note { action, before: before.and_then(told), after: after.and_then(told) };
    change.note_webhook(&scope.origin, webhook, note).await?;
    Ok(())
}

fn answer<T: Serialize>(status: u16, body: &T) -> Result<Answer, ApiError> {
    let body =
        serde_json::to_value(body).map_err(|error| ApiError::internal("encode answer", &error))?;
    Ok(Answer { status, body, shown_once: None, tenant: None, operation: None })
}

fn with_secret(status: u16, webhook: &WebhookRecord, secret: &Secret) -> Result<Answer, ApiError> {
    let mut body =
        WebhookSecretView { webhook: view(webhook), secret: None, notice: Some(NOTICE.to_owned()) };
    let mut kept = answer(status, &body)?;
    (body.secret, body.notice) = (Some(secret.expose().to_owned()), None);
    kept.shown_once = Some(answer(status, &body)?.body);
    Ok(kept)
}
