//! Webhooks: signed, in order, tried again, written down, survived.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use serde_json::Value;
use serde_json::json;
use sha2::Sha256;

use super::endpoint::Endpoint;
use super::endpoint::Sent;
use super::harness::Answer;
use super::harness::Meta;
use super::harness::START;
use super::harness::until;
use super::harness::with_json;
use crate::WebhookConfig;

async fn webhook(meta: &Meta, endpoint: &Endpoint, more: Value) -> Answer {
    let mut body = json!({ "url": endpoint.url, "kinds": ["shard.update"], "platform": true });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    meta.post("/v1/webhooks", body).await.is(201)
}

/// Makes `count` events of kind `shard.update`.
async fn changes(meta: &Meta, count: usize) {
    for _ in 0..count {
        let open = meta.get("/v1/shards/aipress-shard-001").await.at("/schedulability") == "open";
        let word = if open { "cordoned" } else { "open" };
        let body = json!({ "schedulability": word });
        meta.patch("/v1/shards/aipress-shard-001", body).await.is(200);
    }
}

async fn sent(endpoint: &Endpoint, count: usize) -> Vec<Sent> {
    until("deliveries", || async {
        let sent = endpoint.sent();
        (sent.len() >= count).then_some(sent)
    })
    .await
}

/// Deliveries of a webhook, newest first, once one of them is in this state.
async fn delivery(meta: &Meta, id: &str, state: &str) -> Value {
    until("a delivery", || async {
        let page = meta.get(&format!("/v1/webhooks/{id}/deliveries?state={state}")).await.is(200);
        page.body["items"].as_array().unwrap().first().cloned()
    })
    .await
}

/// Waits until so many attempts of the oldest delivery are written down: the clock must not be
/// moved while one is under way.
async fn attempted(meta: &Meta, id: &str, attempts: usize) {
    until("an attempt", || async {
        let page = meta.get(&format!("/v1/webhooks/{id}/deliveries?limit=500")).await.is(200);
        let oldest = page.body["items"].as_array()?.last()?.clone();
        (oldest["attempts"] == attempts).then_some(())
    })
    .await;
}

fn expected(secret: &str, sent: &Sent) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, at) = (sent.header("webhook-id"), sent.header("webhook-timestamp"));
    mac.update(format!("{id}.{at}.{}", sent.body).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn events_are_delivered_in_order_and_signed_by_the_secret_that_was_shown() {
    let meta = Meta::start(1).await;
    let endpoint = Endpoint::start().await;
    let made = webhook(&meta, &endpoint, json!({})).await;
    let (id, first) = (made.at("/webhook/id"), made.at("/secret"));
    changes(&meta, 5).await;
    let told = sent(&endpoint, 5).await;
    let page = meta.get("/v1/events?kind=shard.update").await.is(200);
    let events: Vec<Value> = told
        .iter()
        .map(|sent| {
            let body: Value = serde_json::from_str(&sent.body).unwrap();
            assert_eq!(body["type"], "shard.update");
            assert_eq!(body["timestamp"], body["data"]["at"]);
            assert_eq!(sent.header("webhook-signature"), expected(first, sent));
            assert_eq!(sent.header("content-type"), "application/json");
            assert_eq!(
                sent.header("webhook-timestamp"),
                START.unix_timestamp().to_string(),
                "{sent:?}"
            );
            body["data"].clone()
        })
        .collect();
    assert_eq!(json!(events), page.body["items"]);

    // The log tells it all; the secret is nowhere.
    // It tells of the last a moment after the endpoint has it.
    let delivered = until("the last of them in the log", || async {
        let newest = delivery(&meta, id, "delivered").await;
        (newest["id"] == told[4].header("webhook-id")).then_some(newest)
    })
    .await;
    assert_eq!(delivered["attempts"], 1);
    assert_eq!(delivered["log"][0]["status"], 204);
    let shown = meta.get(&format!("/v1/webhooks/{id}")).await.is(200);
    let listed = meta.get("/v1/webhooks").await.is(200);
    let audit = meta.get("/v1/audit").await.is(200);
    for answer in [shown, listed, audit] {
        assert!(!answer.text.contains(first) && !answer.text.contains("sealed"), "{}", answer.text);
    }

    // After a rotation both sign for a while, then the new one alone.
    let rotate = format!("/v1/webhooks/{id}/rotate-secret");
    meta.post(&rotate, json!({ "overlapHours": 169 })).await.is_problem(422, "invalid_fields");
    let rotated = meta.post(&rotate, json!({ "overlapHours": 1 })).await.is(200);
    let second = rotated.at("/secret");
    assert_ne!(first, second);
    changes(&meta, 1).await;
    let both = sent(&endpoint, 6).await.remove(5);
    let signatures = format!("{} {}", expected(second, &both), expected(first, &both));
    assert_eq!(both.header("webhook-signature"), signatures);
    meta.clock.set(START + time::Duration::hours(1));
    changes(&meta, 1).await;
    let alone = sent(&endpoint, 7).await.remove(6);
    assert_eq!(alone.header("webhook-signature"), expected(second, &alone));

    meta.post(&format!("/v1/webhooks/{id}/test"), json!({})).await.is(202);
    let test = sent(&endpoint, 8).await.remove(7);
    assert_eq!(test.kind(), "webhook.test");
    meta.delete(&format!("/v1/webhooks/{id}")).await.is(200);
    meta.get(&format!("/v1/webhooks/{id}")).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_and_those_behind_it_wait_their_turn() {
    let meta = Meta::start(1).await;
    let endpoint = Endpoint::start().await;
    let made = webhook(&meta, &endpoint, json!({})).await;
    let id = made.at("/webhook/id");
    endpoint.answer(500, Duration::ZERO);
    changes(&meta, 3).await;
    let mut now = START;
    let mut tries = sent(&endpoint, 1).await;
    until("those behind it", || async {
        let page = meta.get(&format!("/v1/webhooks/{id}/deliveries")).await.is(200);
        (page.body["items"].as_array()?.len() > 1).then_some(())
    })
    .await;
    let pending = delivery(&meta, id, "pending").await;
    assert_eq!(pending["attempts"], 0, "the newest waits for the first");
    // The same one again and again, at growing distances.
    for attempt in 2..=4_usize {
        attempted(&meta, id, attempt - 1).await;
        now += time::Duration::minutes(10);
        meta.clock.set(now);
        tries = sent(&endpoint, attempt).await;
    }
    let ids: Vec<&str> = tries.iter().map(|sent| sent.header("webhook-id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let bodies: Vec<&String> = tries.iter().map(|sent| &sent.body).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_ne!(tries[0].header("webhook-timestamp"), tries[1].header("webhook-timestamp"));

    attempted(&meta, id, 4).await;
    endpoint.answer(200, Duration::ZERO);
    meta.clock.set(now + time::Duration::hours(1));
    let all = sent(&endpoint, 7).await;
    let page = meta.get("/v1/events?kind=shard.update").await.is(200);
    let told: Vec<Value> = all[4..]
        .iter()
        .map(|sent| serde_json::from_str::<Value>(&sent.body).unwrap()["data"].clone())
        .collect();
    assert_eq!(json!(told), page.body["items"]);
    until("three deliveries", || async {
        let page = meta.get(&format!("/v1/webhooks/{id}/deliveries?state=delivered")).await;
        (page.body["items"].as_array()?.len() == 3).then_some(())
    })
    .await;
    let page = meta.get(&format!("/v1/webhooks/{id}/deliveries?limit=2")).await.is(200);
    let next = format!("/v1/webhooks/{id}/deliveries?limit=2&cursor={}", page.at("/nextCursor"));
    let oldest = meta.get(&next).await.is(200).body["items"][0].clone();
    assert_eq!(oldest["attempts"], 5);
    assert_eq!(oldest["log"][0]["error"], "the endpoint answered 500");
    let answer = oldest["log"][0]["answer"].as_str().unwrap();
    assert!(answer.starts_with("said 500") && answer.len() == 1_024, "{answer}");

    // Sent again by hand, under its old id.
    let replay = format!("/v1/webhooks/{id}/deliveries/{}/replay", oldest["id"].as_str().unwrap());
    meta.post(&replay, json!({})).await.is(202);
    assert_eq!(sent(&endpoint, 8).await[7].header("webhook-id"), oldest["id"].as_str().unwrap());
    let nothing = format!("/v1/webhooks/{id}/deliveries/{id}/replay");
    meta.post(&nothing, json!({})).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_delivery_is_given_up_and_an_endpoint_that_stays_away_is_paused() {
    let meta = Meta::start(1).await;
    let endpoint = Endpoint::start().await;
    let made = webhook(&meta, &endpoint, json!({})).await;
    let id = made.at("/webhook/id");
    endpoint.answer(503, Duration::ZERO);
    changes(&meta, 1).await;
    let mut now = START;
    for attempt in 1..=aipress_feed::webhooks::schedule::ATTEMPTS {
        attempted(&meta, id, attempt as usize).await;
        now += time::Duration::hours(15);
        // Three days without an answer pause it before the last attempt.
        if now - START > time::Duration::days(3) {
            break;
        }
        meta.clock.set(now);
    }
    meta.clock.set(START + time::Duration::days(3));
    until("the pause", || async {
        let shown = meta.get(&format!("/v1/webhooks/{id}")).await;
        (shown.at("/state") == "paused").then_some(())
    })
    .await;
    let told = meta.get("/v1/events?kind=webhook.paused").await.is(200);
    assert_eq!(told.body["items"][0]["data"]["webhook"], id);
    let so_far = endpoint.sent().len();
    meta.post(&format!("/v1/webhooks/{id}/test"), json!({})).await.is_problem(409, "invalid_state");

    // Taken up again, from where it stopped.
    endpoint.answer(200, Duration::ZERO);
    changes(&meta, 2).await;
    let resumed = meta.patch(&format!("/v1/webhooks/{id}"), json!({ "state": "active" })).await;
    assert_eq!(resumed.is(200).body.get("message"), None);
    meta.clock.set(START + time::Duration::days(4));
    sent(&endpoint, so_far + 3).await;

    // 410 Gone pauses at once.
    endpoint.answer(410, Duration::ZERO);
    changes(&meta, 1).await;
    until("the pause", || async {
        let shown = meta.get(&format!("/v1/webhooks/{id}")).await;
        (shown.at("/message") == "paused: the endpoint answered 410 Gone").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_slow_endpoint_delays_no_other() {
    let meta = Meta::start(1).await;
    let (slow, fast) = (Endpoint::start().await, Endpoint::start().await);
    slow.answer(200, Duration::from_secs(60));
    webhook(&meta, &slow, json!({})).await;
    webhook(&meta, &fast, json!({})).await;
    let begun = std::time::Instant::now();
    changes(&meta, 10).await;
    sent(&fast, 10).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(slow.sent().len(), 1, "one at a time");
}

#[tokio::test]
async fn deliveries_survive_restarts_in_the_middle() {
    let mut meta = Meta::start(1).await;
    let endpoint = Endpoint::start().await;
    let made = webhook(&meta, &endpoint, json!({})).await;
    endpoint.answer(200, Duration::from_millis(20));
    for _ in 0..3 {
        changes(&meta, 4).await;
        // In the middle of it: some are sent, one is under way, some are not made yet.
        meta.restart().await;
    }
    let wanted = meta.get("/v1/events?kind=shard.update").await.is(200);
    let wanted: Vec<&str> = wanted.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["id"].as_str().unwrap())
        .collect();
    assert_eq!(wanted.len(), 12);
    let told = until("every event", || async {
        let mut told: Vec<String> = endpoint
            .sent()
            .iter()
            .map(|sent| {
                let body: Value = serde_json::from_str(&sent.body).unwrap();
                body["data"]["id"].as_str().unwrap().to_owned()
            })
            .collect();
        // What was under way may come twice, in its place.
        told.dedup();
        (told.len() >= wanted.len()).then_some(told)
    })
    .await;
    assert_eq!(told, wanted);
    assert_eq!(delivery(&meta, made.at("/webhook/id"), "delivered").await["kind"], "shard.update");
}

#[tokio::test]
async fn a_webhook_is_its_accounts_own_and_told_of_nothing_else() {
    let meta = Meta::start(1).await;
    let endpoint = Endpoint::start().await;
    let owner = meta.member("owner").await;
    let stranger = meta.member("stranger").await;
    let post = async |token: &str, path: &str, body: Value| {
        meta.call(with_json(meta.request_as(token, "POST", path), &body)).await
    };
    let body = json!({ "url": endpoint.url, "kinds": ["tenant.*"] });
    let made = post(&owner, "/v1/webhooks", body.clone()).await.is(201);
    post(&stranger, "/v1/webhooks", body).await.is(201);
    let platform = json!({ "url": endpoint.url, "platform": true });
    post(&owner, "/v1/webhooks", platform).await.is_problem(422, "invalid_fields");
    let of_bakery = json!({ "url": endpoint.url, "tenant": "bakery" });
    post(&stranger, "/v1/webhooks", of_bakery).await.is_problem(422, "invalid_fields");
    meta.made("of-the-admin").await;
    post(&owner, "/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let told = sent(&endpoint, 2).await;
    assert!(told.iter().all(|sent| sent.body.contains("\"bakery\"")), "{told:?}");
    let path = format!("/v1/webhooks/{}", made.at("/webhook/id"));
    for (method, path) in [("GET", path.clone()), ("GET", format!("{path}/deliveries"))] {
        let request = meta.request_as(&stranger, method, &path).body(Bytes::new()).unwrap();
        meta.call(request).await.is_problem(404, "not_found");
    }
    post(&stranger, &format!("{path}/test"), json!({})).await.is_problem(404, "not_found");
    let mine = meta.request_as(&stranger, "GET", "/v1/webhooks").body(Bytes::new()).unwrap();
    assert_eq!(meta.call(mine).await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn addresses_that_only_we_can_reach_are_refused() {
    let mut meta = Meta::start(1).await;
    let endpoint = Endpoint::start().await;
    webhook(&meta, &endpoint, json!({})).await;
    meta.stop().await;
    meta.webhooks = WebhookConfig::default();
    meta.restart().await;
    for url in [
        "http://example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1:8443/",
        "https://user:word@example.org/",
        "ftp://example.org/",
        "example.org",
        "",
    ] {
        let refused = meta.post("/v1/webhooks", json!({ "url": url })).await;
        refused.is_problem(422, "invalid_fields");
        assert_eq!(refused.at("/errors/0/pointer"), "/url");
    }
    let bad = json!({ "url": "https://example.org/", "kinds": ["Tenant!"], "shard": "x" });
    let refused = meta.post("/v1/webhooks", bad).await;
    assert_eq!(refused.at("/errors/0/pointer"), "/kinds/0");
    assert_eq!(refused.at("/errors/1/pointer"), "/shard");
    // One that was made while it was allowed is not connected to.
    changes(&meta, 1).await;
    let listed = meta.get("/v1/webhooks").await.is(200);
    let tried = until("an attempt", || async {
        let path = format!("/v1/webhooks/{}/deliveries", listed.at("/items/0/id"));
        let page = meta.get(&path).await;
        page.body["items"][0]["log"][0]["error"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(tried, "127.0.0.1 is at 127.0.0.1, which is no public address");
    assert!(endpoint.sent().is_empty());
}

#[tokio::test]
async fn a_repeated_creation_makes_one_webhook_and_shows_no_secret_again() {
    let meta = Meta::start(1).await;
    let body = json!({ "url": "http://127.0.0.1:9/" });
    let create = async || {
        let request = meta.request("POST", "/v1/webhooks").header("idempotency-key", "k1");
        meta.call(with_json(request, &body)).await.is(201)
    };
    let (first, again) = (create().await, create().await);
    assert!(first.at("/secret").starts_with("whsec_"));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body.get("secret"), None);
    assert!(again.at("/notice").contains("rotate"), "{}", again.text);
    assert_eq!(first.body["webhook"], again.body["webhook"]);
    for _ in 1..aipress_feed::webhooks::PER_ACCOUNT {
        meta.post("/v1/webhooks", body.clone()).await.is(201);
    }
    meta.post("/v1/webhooks", body.clone()).await.is_problem(409, "too_many_webhooks");
}
