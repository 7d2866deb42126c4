//! `aipress webhook …`

use std::path::Path;
use std::time::Duration;

use aipress_api::DeliveryStatus;
use aipress_api::DeliveryView;
use aipress_api::WebhookCreate;
use aipress_api::WebhookPatch;
use aipress_api::WebhookRotate;
use aipress_api::WebhookSecretView;
use aipress_api::WebhookState;
use aipress_api::WebhookView;
use aipress_api::client::ApiClient;
use aipress_api::client::ListQuery;
use time::format_description::well_known::Rfc3339;

use crate::args;
use crate::args::Connect;
use crate::args::Output;
use crate::args::WebhookVerb;
use crate::cli::connect;
use crate::exit::Failure;
use crate::output;

/// Items of one page.
const PAGE: usize = 200;
/// A test is looked for this often, and so many times: a little longer than an attempt takes.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: u32 = 90;

/// Calls one verb.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: WebhookVerb,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    match verb {
        WebhookVerb::Create(args) => {
            let made = client.webhook_create(&creation(args)).await?;
            output::print(output, &made, with_secret)
        }
        WebhookVerb::List => {
            let webhooks = list(&client).await?;
            let nothing = "No webhooks: `aipress webhook create https://…` makes one.";
            output::list(output, &webhooks, nothing, table)
        }
        WebhookVerb::Show { webhook } => {
            output::print(output, &client.webhook_fetch(&webhook).await?, one)
        }
        WebhookVerb::Update(args) => {
            let id = args.webhook.clone();
            output::print(output, &client.webhook_update(&id, &patch(args)).await?, one)
        }
        WebhookVerb::Delete { webhook } => {
            output::print(output, &client.webhook_delete(&webhook).await?, |webhook| {
                format!("removed {} ({})\n", webhook.id, webhook.url)
            })
        }
        WebhookVerb::Deliveries { webhook, state, limit } => {
            let found = deliveries(&client, &webhook, state, limit).await?;
            let nothing = "Nothing was sent yet: `aipress webhook test WEBHOOK` sends something.";
            output::list(output, &found, nothing, delivery_table)
        }
        WebhookVerb::Replay { webhook, delivery } => {
            let sent = client.webhook_delivery_replay(&webhook, &delivery).await?;
            let sent = outcome(&client, &webhook, sent).await?;
            output::print(output, &sent, delivery_one)
        }
        WebhookVerb::RotateSecret { webhook, overlap_hours } => {
            let body = WebhookRotate { overlap_hours };
            let rotated = client.webhook_rotate_secret(&webhook, &body).await?;
            output::print(output, &rotated, with_secret)
        }
        WebhookVerb::Test { webhook } => {
            let sent = client.webhook_test(&webhook).await?;
            let sent = outcome(&client, &webhook, sent).await?;
            output::print(output, &sent, delivery_one)
        }
    }
}

fn creation(args: args::WebhookCreate) -> WebhookCreate {
    WebhookCreate {
        url: args.url,
        description: args.description,
        kinds: args.kind,
        tenant: args.tenant,
        shard: args.shard,
        platform: args.platform,
    }
}

fn patch(args: args::WebhookUpdate) -> WebhookPatch {
    let state = match (args.pause, args.resume) {
        (true, _) => Some(WebhookState::Paused),
        (_, true) => Some(WebhookState::Active),
        _ => None,
    };
    let kinds = args.kind.map(|kinds| kinds.into_iter().filter(|kind| !kind.is_empty()).collect());
    WebhookPatch { url: args.url, description: args.description, kinds, state }
}

async fn list(client: &ApiClient) -> Result<Vec<WebhookView>, Failure> {
    let mut webhooks = Vec::new();
    let mut cursor = None;
    loop {
        let query = ListQuery::default().with("limit", Some(PAGE)).with("cursor", cursor);
        let page = client.webhook_list(&query).await?;
        webhooks.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(webhooks);
        }
    }
}

async fn deliveries(
    client: &ApiClient,
    webhook: &str,
    state: Option<String>,
    limit: usize,
) -> Result<Vec<DeliveryView>, Failure> {
    let mut found = Vec::new();
    let mut cursor = None;
    while found.len() < limit {
        let query = ListQuery::default()
            .with("state", state.as_deref())
            .with("limit", Some(PAGE.min(limit - found.len())))
            .with("cursor", cursor);
        let page = client.webhook_delivery_list(webhook, &query).await?;
        found.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

/// The delivery once its first attempt is over, or as it is when that takes too long.
async fn outcome(
    client: &ApiClient,
    webhook: &str,
    sent: DeliveryView,
) -> Result<DeliveryView, Failure> {
    for _ in 0..LOOKS {
        let query = ListQuery::default().with("limit", Some(PAGE));
        let page = client.webhook_delivery_list(webhook, &query).await?;
        let now = page.items.into_iter().find(|delivery| delivery.id == sent.id);
        if let Some(now) = now.filter(|now| now.attempts > 0) {
            return Ok(now);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(sent)
}

fn state(webhook: &WebhookView) -> &'static str {
    match (webhook.state, webhook.failing_since) {
        (WebhookState::Paused, _) => "paused",
        (WebhookState::Active, Some(_)) => "failing",
        (WebhookState::Active, None) => "active",
    }
}

fn kinds(webhook: &WebhookView) -> String {
    if webhook.kinds.is_empty() { "all".to_owned() } else { webhook.kinds.join(", ") }
}

fn table(webhooks: &[WebhookView]) -> String {
    let row = |webhook: &WebhookView| {
        vec![
            webhook.id.to_string(),
            state(webhook).to_owned(),
            webhook.url.clone(),
            kinds(webhook),
            webhook.description.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = webhooks.iter().map(row).collect();
    output::columns(&["WEBHOOK", "STATE", "URL", "KINDS", "DESCRIPTION"], &rows)
}

fn one(webhook: &WebhookView) -> String {
    let at = |at: Option<time::OffsetDateTime>| {
        at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
    };
    output::fields(&[
        ("Webhook", webhook.id.to_string()),
        ("State", state(webhook).to_owned()),
        ("Message", webhook.message.clone().unwrap_or_default()),
        ("URL", webhook.url.clone()),
        ("Description", webhook.description.clone()),
        ("Kinds", kinds(webhook)),
        ("Site", webhook.tenant.map(|uid| uid.to_string()).unwrap_or_default()),
        ("Shard", webhook.shard.clone().unwrap_or_default()),
        ("Platform", if webhook.platform { "all accounts".to_owned() } else { String::new() }),
        ("Failing since", at(webhook.failing_since)),
        ("Old secret until", at(webhook.previous_secret_until)),
        ("Created", at(Some(webhook.created_at))),
    ])
}

fn with_secret(made: &WebhookSecretView) -> String {
    let secret = made.secret.clone().or(made.notice.clone()).unwrap_or_default();
    let keep = "keep the secret now, it is not shown again; docs/webhooks.md has how to check it";
    format!("{}Secret: {secret}\n\n{keep}\n", one(&made.webhook))
}

fn delivery_state(delivery: &DeliveryView) -> &'static str {
    match delivery.state {
        DeliveryStatus::Pending if delivery.attempts > 0 => "retrying",
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Failed => "failed",
    }
}

/// What came of the last attempt.
fn last(delivery: &DeliveryView) -> String {
    let Some(last) = delivery.log.last() else { return String::new() };
    let what = match (&last.error, last.status) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => status.to_string(),
        (None, None) => String::new(),
    };
    format!("{what} in {} ms", last.duration_ms)
}

fn delivery_table(deliveries: &[DeliveryView]) -> String {
    let row = |delivery: &DeliveryView| {
        vec![
            delivery.id.to_string(),
            delivery_state(delivery).to_owned(),
            delivery.kind.clone(),
            delivery.attempts.to_string(),
            delivery.created_at.format(&Rfc3339).unwrap_or_default(),
            last(delivery),
        ]
    };
    let rows: Vec<Vec<String>> = deliveries.iter().map(row).collect();
    output::columns(&["DELIVERY", "STATE", "KIND", "ATTEMPTS", "CREATED", "LAST"], &rows)
}

fn delivery_one(delivery: &DeliveryView) -> String {
    let next = delivery.next_attempt_at.and_then(|at| at.format(&Rfc3339).ok());
    let answer = delivery.log.last().and_then(|last| last.answer.clone());
    output::fields(&[
        ("Delivery", delivery.id.to_string()),
        ("Kind", delivery.kind.clone()),
        ("State", delivery_state(delivery).to_owned()),
        ("Last", last(delivery)),
        ("Answer", answer.unwrap_or_default()),
        ("Next attempt", next.unwrap_or_default()),
    ])
}
