//! Every wrong request gets the right problem, and nothing is made.

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use super::harness::Meta;
use super::harness::with_json;

#[tokio::test]
async fn wrong_bodies_are_refused_with_pointers_and_nothing_is_made() {
    let meta = Meta::start(1).await;
    let long = "a".repeat(41);
    let cases = [
        (json!({ "name": "ab" }), "/name"),
        (json!({ "name": long }), "/name"),
        (json!({ "name": "Bakery" }), "/name"),
        (json!({ "name": "bak_ery" }), "/name"),
        (json!({ "name": "-bakery" }), "/name"),
        (json!({ "name": "bakery-" }), "/name"),
        (json!({ "name": "xn--bakery" }), "/name"),
        (json!({ "name": "bakery.example" }), "/name"),
        (json!({ "name": "console" }), "/name"),
        (json!({ "name": "www" }), "/name"),
        (json!({ "name": "f47ac10b-58cc-4372-a567-0e02b2c3d479" }), "/name"),
        (json!({ "name": 5 }), "/name"),
        (json!({ "name": null }), "/name"),
        (json!({}), ""),
        (json!([]), ""),
        (json!({ "name": "bakery", "titel": "x" }), "/titel"),
        (json!({ "name": "bakery", "spec": { "teir": "gold" } }), "/spec/teir"),
        (json!({ "name": "bakery", "spec": { "tier": "platinum" } }), "/spec/tier"),
        (json!({ "name": "bakery", "spec": { "tier": 7 } }), "/spec/tier"),
        (json!({ "name": "bakery", "spec": "x" }), "/spec"),
        (json!({ "name": "bakery", "spec": { "region": "moon" } }), "/spec/region"),
        (
            json!({ "name": "bakery", "spec": { "wordpress": { "adminEmail": "nobody" } } }),
            "/spec/wordpress/adminEmail",
        ),
        (
            json!({ "name": "bakery", "account": "f47ac10b-58cc-4372-a567-0e02b2c3d479" }),
            "/account",
        ),
        (json!({ "name": "bakery", "account": "x" }), "/account"),
        (json!({ "name": "bakery", "spec": { "domains": ["a.example"] } }), "/spec/domains"),
        (json!({ "name": "bakery", "spec": { "cache": { "ttl": 5 } } }), "/spec/cache"),
        (
            json!({ "name": "bakery", "spec": { "wordpress": { "version": 7.1 } } }),
            "/spec/wordpress/version",
        ),
    ];
    for (body, pointer) in cases {
        let answer = meta.post("/v1/tenants", body.clone()).await;
        answer.is_problem(422, "invalid_fields");
        let found = answer.body["errors"].as_array().unwrap();
        assert!(found.iter().any(|error| error["pointer"] == pointer), "{body}: {}", answer.text);
    }
    let suggestion = meta.post("/v1/tenants", json!({ "name": "abc", "spce": {} })).await;
    assert!(suggestion.text.contains("did you mean `spec`?"), "{}", suggestion.text);

    assert_eq!(meta.get("/v1/tenants").await.body["items"], json!([]));
    assert_eq!(meta.get("/v1/operations").await.body["items"], json!([]));
    assert_eq!(meta.get("/v1/audit").await.body["items"], json!([]));
}

#[tokio::test]
async fn what_is_no_json_or_too_much_of_it_is_refused() {
    let meta = Meta::start(1).await;
    let raw = |content_type: &str, body: Vec<u8>| {
        meta.request("POST", "/v1/tenants")
            .header("content-type", content_type)
            .body(Bytes::from(body))
            .unwrap()
    };
    meta.call(raw("application/json", b"{".to_vec())).await.is_problem(400, "invalid_json");
    meta.call(raw("text/plain", b"{}".to_vec())).await.is_problem(415, "unsupported_media_type");
    let form = raw("application/x-www-form-urlencoded", b"name=abc".to_vec());
    meta.call(form).await.is_problem(415, "unsupported_media_type");
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(10_000_000));
    let large = raw("application/json", large.into_bytes());
    meta.call(large).await.is_problem(413, "body_too_large");
    let untyped = meta.request("POST", "/v1/tenants").body(Bytes::from("{}")).unwrap();
    meta.call(untyped).await.is_problem(415, "unsupported_media_type");
    assert_eq!(meta.get("/v1/tenants").await.body["items"], json!([]));
}

#[tokio::test]
async fn paths_methods_and_queries_that_are_not_there() {
    let meta = Meta::start(0).await;
    meta.get("/v1/nothing").await.is_problem(404, "not_found");
    meta.get("/").await.is_problem(404, "not_found");
    let answer = meta.call(meta.request("PUT", "/v1/tenants").body(Bytes::new()).unwrap()).await;
    answer.is_problem(405, "method_not_allowed");
    let allow = answer.header("allow");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        "stat=active",
        "state=wrong",
        "sort=uid",
        "tier=tin",
        "limit=1&limit=2",
        "shard=one",
    ] {
        meta.get(&format!("/v1/tenants?{query}")).await.is_problem(400, "invalid_query");
    }
    meta.get("/v1/tenants?cursor=AAAA").await.is_problem(400, "invalid_cursor");
    meta.get("/v1/tenants/%FF").await.is_problem(400, "bad_request");
    meta.get("/v1/operations/x").await.is_problem(404, "not_found");
    meta.get("/v1/shards/x").await.is_problem(404, "not_found");
}

#[tokio::test]
async fn who_misspells_a_dry_run_changes_nothing() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    for query in ["dryrun=true", "dry_run=true&foo=bar", "dryRun=true&dryRun=false", "dryRun=1"] {
        let path = format!("/v1/tenants/bakery?{query}");
        meta.delete(&path).await.is_problem(400, "invalid_query");
        let path = format!("/v1/tenants/bakery/suspend?{query}");
        meta.post(&path, Value::Null).await.is_problem(400, "invalid_query");
        let path = format!("/v1/tenants/bakery/wp?{query}");
        let command = json!({ "command": ["core", "version"] });
        meta.post(&path, command).await.is_problem(400, "invalid_query");
    }
    let tenant = meta.get("/v1/tenants/bakery").await.is(200);
    assert_eq!(tenant.at("/state"), "active");
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let again = meta.post("/v1/tenants", json!({ "name": "bakery" })).await;
    again.is_problem(409, "name_taken");
    meta.done("bakery", "delete").await;
    let deleted = meta.post("/v1/tenants", json!({ "name": "bakery" })).await;
    deleted.is_problem(409, "name_taken");
    assert!(deleted.at("/detail").contains("undelete"), "{}", deleted.text);
    let stranger = meta.member("stranger").await;
    let body = json!({ "name": "bakery" });
    let other = meta.call(with_json(meta.request_as(&stranger, "POST", "/v1/tenants"), &body));
    let other = other.await;
    other.is_problem(409, "name_taken");
    assert!(!other.at("/detail").contains("deleted"), "its state is not for others");
    assert_eq!(meta.get("/v1/tenants").await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_id_is_taken_over_when_it_is_harmless() {
    let meta = Meta::start(0).await;
    let ask = async |id: &str| {
        let request = meta.request("GET", "/v1/none").header("x-request-id", id);
        meta.call(request.body(Bytes::new()).unwrap()).await.header("x-request-id").to_owned()
    };
    assert_eq!(ask("abc-1.2_3").await, "abc-1.2_3");
    assert_ne!(ask("a b").await, "a b");
    assert_ne!(ask(&"a".repeat(65)).await, "a".repeat(65));
}
