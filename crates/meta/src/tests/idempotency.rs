//! Sent twice, it happens once; and conditions on etags.

use std::sync::Arc;

use aipress_store::IdempotencyOutcome;
use aipress_store::IdempotencyRequest;
use bytes::Bytes;
use http::Request;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use super::harness::Meta;
use super::harness::START;
use super::harness::with_json;

fn keyed(meta: &Meta, key: &str, method: &str, path: &str, body: &Value) -> Request<Bytes> {
    with_json(meta.request(method, path).header("idempotency-key", key), body)
}

#[tokio::test]
async fn a_repeated_request_is_answered_again_and_done_once() {
    let meta = Meta::start(1).await;
    let body = json!({ "name": "bakery" });
    let first = meta.call(keyed(&meta, "k1", "POST", "/v1/tenants", &body)).await.is(202);
    assert_eq!(first.header("idempotency-replayed"), "");
    let location = format!("/v1/operations/{}", first.at("/operation/id"));
    assert_eq!(first.header("location"), location);
    assert_eq!(first.header("etag"), format!("\"{}\"", first.at("/tenant/etag")));
    meta.get(&location).await.is(200);
    meta.ended(first.at("/operation/id")).await;

    let again = meta.call(keyed(&meta, "k1", "POST", "/v1/tenants", &body)).await.is(202);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body, first.body);
    for header in ["location", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
    assert_eq!(meta.get("/v1/tenants").await.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(meta.get("/v1/audit").await.body["items"].as_array().unwrap().len(), 1);

    // Used differently.
    for (method, path, body) in [
        ("POST", "/v1/tenants", json!({ "name": "florist" })),
        ("PATCH", "/v1/tenants/bakery", json!({ "spec": {} })),
        ("POST", "/v1/tenants/bakery/suspend", body.clone()),
    ] {
        let used = meta.call(keyed(&meta, "k1", method, path, &body)).await;
        used.is_problem(422, "idempotency_mismatch");
    }
    // Another caller's key of the same text is another key.
    let member = meta.member("member").await;
    let request = meta.request_as(&member, "POST", "/v1/tenants").header("idempotency-key", "k1");
    meta.call(with_json(request, &json!({ "name": "florist" }))).await.is(202);
    // After a day it is forgotten.
    meta.clock.set(START + time::Duration::hours(25));
    let forgotten = meta.call(keyed(&meta, "k1", "POST", "/v1/tenants", &body)).await;
    forgotten.is_problem(409, "name_taken");
}

#[tokio::test]
async fn a_replay_survives_a_restart_and_a_refusal_frees_the_key() {
    let mut meta = Meta::start(1).await;
    let bad = json!({ "name": "B" });
    meta.call(keyed(&meta, "k", "POST", "/v1/tenants", &bad)).await.is(422);
    let body = json!({ "name": "bakery" });
    let first = meta.call(keyed(&meta, "k", "POST", "/v1/tenants", &body)).await.is(202);
    meta.restart().await;
    let again = meta.call(keyed(&meta, "k", "POST", "/v1/tenants", &body)).await.is(202);
    assert_eq!(again.body, first.body);
    for bad in ["", "a b", "ä", &"k".repeat(256)] {
        let request = meta
            .request("POST", "/v1/tenants")
            .header("idempotency-key", bad.as_bytes())
            .header("content-type", "application/json");
        let answer = meta.call(request.body(Bytes::from("{}")).unwrap()).await;
        answer.is_problem(400, "invalid_idempotency_key");
    }
}

#[tokio::test]
async fn a_key_in_flight_is_refused_and_one_of_a_dead_process_is_taken_over() {
    let mut meta = Meta::start(1).await;
    let body = json!({ "name": "bakery" });
    // A handle of another life claims the key, as a meta that was killed in between would have.
    let store = meta.store().await;
    let me = meta.get("/v1/me").await;
    let request = IdempotencyRequest {
        caller: format!("user:{}", me.at("/user")),
        key: "k".to_owned(),
        method: "POST".to_owned(),
        path: "/v1/tenants".to_owned(),
        body_sha256: Sha256::digest(body.to_string()).into(),
    };
    let day = time::Duration::hours(24);
    let claim = store.idempotency_begin(&request, START, day).await.unwrap();
    assert!(matches!(claim, IdempotencyOutcome::New(_)));
    meta.call(keyed(&meta, "k", "POST", "/v1/tenants", &body)).await.is(202);
    store.close().await;
    meta.stop().await;
}

#[tokio::test]
async fn the_same_request_many_times_at_once_makes_one_site() {
    let meta = Arc::new(Meta::start(1).await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let meta = Arc::clone(&meta);
        calls.spawn(async move {
            let body = json!({ "name": "bakery" });
            meta.call(keyed(&meta, "k", "POST", "/v1/tenants", &body)).await
        });
    }
    let (mut made, mut busy) = (0, 0);
    while let Some(answer) = calls.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            202 => made += 1,
            _ => {
                answer.is_problem(409, "idempotency_in_flight");
                assert_eq!(answer.header("retry-after"), "1");
                busy += 1;
            }
        }
    }
    assert!(made >= 1 && made + busy == 20);
    assert_eq!(meta.get("/v1/operations").await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_is_shown_once_and_its_token_is_kept_nowhere() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let path = "/v1/tenants/bakery/login-link";
    let body = json!({ "user": "admin" });
    let first = meta.call(keyed(&meta, "k", "POST", path, &body)).await.is(200);
    let url = first.at("/url").to_owned();
    let token = url.strip_prefix("http://bakery.localhost:8080/?aipress_login=").unwrap();
    let given = meta.shards[0].login_tokens();
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].token_sha256, super::harness::sha256(token));
    assert_eq!(given[0].expires, (START + time::Duration::minutes(15)).unix_timestamp());

    let again = meta.call(keyed(&meta, "k", "POST", path, &body)).await.is(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body["url"], Value::Null);
    assert!(again.at("/notice").contains("not shown again"));
    assert_eq!(again.at("/expiresAt"), first.at("/expiresAt"));
    assert_eq!(meta.shards[0].login_tokens().len(), 1);

    assert!(meta.get("/v1/audit").await.text.contains("tenant.login_link"));
    for file in ["registry.db", "registry.db-wal"] {
        let bytes = std::fs::read(meta.folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|w| w == token.as_bytes()), "{file}");
    }
    meta.shards[0].behave(super::shard::Behaviour::Refuse);
    let down = meta.post(path, json!({})).await;
    down.is_problem(503, "shard_unavailable");
    meta.shards[0].behave(super::shard::Behaviour::Converge);
    meta.done("bakery", "suspend").await;
    meta.post(path, json!({})).await.is_problem(409, "invalid_state");
}

#[tokio::test]
async fn a_condition_on_the_etag_holds_or_refuses() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let shown = meta.get("/v1/tenants/bakery").await;
    let etag = shown.header("etag").to_owned();
    assert_eq!(etag, format!("\"{}\"", shown.at("/etag")));
    let change = async |condition: &str, tier: &str| {
        let request = meta.request("PATCH", "/v1/tenants/bakery").header("if-match", condition);
        meta.call(with_json(request, &json!({ "spec": { "tier": tier } }))).await
    };
    change("\"other\"", "gold").await.is_problem(412, "etag_mismatch");
    change(&format!("W/{etag}"), "gold").await.is_problem(412, "etag_mismatch");
    let changed = change(&format!("\"other\", {etag}"), "gold").await.is(202);
    assert_ne!(changed.header("etag"), etag);
    change(&etag, "silver").await.is_problem(412, "etag_mismatch");
    change("*", "silver").await.is(202);
    let request = meta.request("DELETE", "/v1/tenants/bakery").header("if-match", &etag);
    let stale = meta.call(request.body(Bytes::new()).unwrap()).await;
    stale.is_problem(412, "etag_mismatch");
}
