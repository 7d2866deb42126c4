//! Who gets what: every endpoint with no token, a wrong one, a stranger's, the owner's and the
//! administrator's.

use bytes::Bytes;
use serde_json::json;

use super::harness::Meta;
use super::harness::START;
use super::harness::with_json;
use crate::admin_token;

/// Method, path (with the name of a member's site, its operation and a shard), and the status
/// that a stranger, the owner and the administrator get.
const TABLE: &[(&str, &str, u16, u16, u16)] = &[
    ("GET", "/v1/tenants", 200, 200, 200),
    ("GET", "/v1/tenants/{name}", 404, 200, 200),
    ("GET", "/v1/tenants/{uid}", 404, 200, 200),
    ("GET", "/v1/tenants/{name}/logs", 404, 200, 200),
    ("GET", "/v1/tenants/{name}/route", 404, 200, 200),
    ("GET", "/v1/tenants/{name}/document", 404, 200, 200),
    ("PUT", "/v1/tenants/{name}", 409, 200, 200),
    ("PATCH", "/v1/tenants/{name}", 404, 200, 200),
    ("POST", "/v1/tenants/{name}/login-link", 404, 200, 200),
    ("POST", "/v1/tenants/{name}/resume", 404, 409, 409),
    ("POST", "/v1/tenants/{name}/rotate-secrets", 404, 202, 202),
    ("POST", "/v1/tenants/{name}/undelete", 404, 409, 409),
    ("POST", "/v1/tenants/{name}/erase", 404, 409, 409),
    ("POST", "/v1/tenants/{name}/wp", 404, 200, 200),
    ("GET", "/v1/tenants/{name}/cron", 404, 200, 200),
    ("GET", "/v1/tenants/{name}/mail", 404, 200, 200),
    ("GET", "/v1/tenants/{name}/mail/{nothing}", 404, 404, 404),
    ("POST", "/v1/tenants/{name}/mail/retry", 404, 422, 422),
    ("POST", "/v1/tenants/{name}/mail/delete", 404, 422, 422),
    ("GET", "/v1/tenants/{name}/inventory", 404, 404, 404),
    ("POST", "/v1/tenants/{name}/inventory/refresh", 404, 409, 409),
    ("GET", "/v1/tenants/{name}/plugins", 404, 200, 200),
    ("POST", "/v1/tenants/{name}/plugins", 404, 422, 422),
    ("GET", "/v1/tenants/{name}/plugins/{thing}", 404, 404, 404),
    ("DELETE", "/v1/tenants/{name}/plugins/{thing}", 404, 404, 404),
    ("POST", "/v1/tenants/{name}/plugins/{thing}/activate", 404, 404, 404),
    ("POST", "/v1/tenants/{name}/plugins/{thing}/deactivate", 404, 404, 404),
    ("POST", "/v1/tenants/{name}/plugins/{thing}/update", 404, 404, 404),
    ("GET", "/v1/tenants/{name}/themes", 404, 200, 200),
    ("POST", "/v1/tenants/{name}/themes", 404, 422, 422),
    ("GET", "/v1/tenants/{name}/themes/{thing}", 404, 404, 404),
    ("DELETE", "/v1/tenants/{name}/themes/{thing}", 404, 404, 404),
    ("POST", "/v1/tenants/{name}/themes/{thing}/activate", 404, 404, 404),
    ("POST", "/v1/tenants/{name}/themes/{thing}/update", 404, 404, 404),
    ("POST", "/v1/tenants/{name}/clone", 404, 409, 409),
    ("POST", "/v1/tenants/{name}/exports", 404, 202, 409),
    ("GET", "/v1/exports/{nothing}", 404, 404, 404),
    ("GET", "/v1/exports/{nothing}/data", 404, 404, 404),
    ("POST", "/v1/imports", 422, 422, 422),
    ("GET", "/v1/imports/{nothing}", 404, 404, 404),
    ("DELETE", "/v1/imports/{nothing}", 404, 404, 404),
    ("PATCH", "/v1/imports/{nothing}/data", 404, 404, 404),
    ("POST", "/v1/imports/{nothing}/complete", 404, 404, 404),
    ("GET", "/v1/packages", 200, 200, 200),
    ("POST", "/v1/packages", 415, 415, 415),
    ("POST", "/v1/packages/fetch", 422, 422, 422),
    ("GET", "/v1/packages/{hash}", 404, 404, 404),
    ("DELETE", "/v1/packages/{hash}", 404, 404, 404),
    ("GET", "/v1/webhooks", 200, 200, 200),
    ("POST", "/v1/webhooks", 422, 422, 422),
    ("GET", "/v1/webhooks/{nothing}", 404, 404, 404),
    ("PATCH", "/v1/webhooks/{nothing}", 404, 404, 404),
    ("DELETE", "/v1/webhooks/{nothing}", 404, 404, 404),
    ("GET", "/v1/webhooks/{nothing}/deliveries", 404, 404, 404),
    ("POST", "/v1/webhooks/{nothing}/deliveries/{nothing}/replay", 404, 404, 404),
    ("POST", "/v1/webhooks/{nothing}/rotate-secret", 404, 404, 404),
    ("POST", "/v1/webhooks/{nothing}/test", 404, 404, 404),
    ("GET", "/v1/operations", 200, 200, 200),
    ("GET", "/v1/operations/{operation}", 404, 200, 200),
    ("GET", "/v1/operations/{operation}/events", 404, 200, 200),
    ("GET", "/v1/shards", 403, 403, 200),
    ("GET", "/v1/shards/{shard}", 404, 404, 200),
    ("PATCH", "/v1/shards/{shard}", 404, 404, 200),
    ("POST", "/v1/plans", 422, 422, 422),
    ("GET", "/v1/plans/{hash}", 404, 404, 404),
    ("POST", "/v1/plans/{hash}/apply", 404, 404, 404),
    ("GET", "/v1/projects", 403, 403, 200),
    ("GET", "/v1/audit", 200, 200, 200),
    ("GET", "/v1/audit/checkpoints", 200, 200, 200),
    ("GET", "/v1/audit/export", 200, 200, 200),
    ("GET", "/v1/audit/verification", 200, 200, 200),
    ("GET", "/v1/events", 200, 200, 200),
    ("GET", "/v1/me", 200, 200, 200),
    ("GET", "/v1/metrics", 403, 403, 200),
    ("POST", "/v1/tenants/{name}/suspend", 404, 202, 409),
    ("DELETE", "/v1/tenants/{name}", 404, 202, 409),
    ("POST", "/v1/tenants", 422, 422, 422),
];

/// Endpoints that need no token.
const OPEN: &[&str] = &["/v1/health", "/v1/openapi.json", "/v1/schemas/tenant"];

/// A path without the names of its parameters.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn body(method: &str, path: &str) -> serde_json::Value {
    match (method, path) {
        ("PATCH", path) if path.contains("shards") => json!({ "schedulability": "open" }),
        ("PUT", _) => json!({
            "apiVersion": "aipress.io/v1", "kind": "Tenant", "metadata": { "name": "bakery" },
        }),
        ("PATCH", path) if path.contains("tenants") => json!({ "spec": {} }),
        ("POST", path) if path.ends_with("/wp") => json!({ "args": ["core", "version"] }),
        ("POST", path) if path.ends_with("/plugins") || path.ends_with("/themes") => {
            json!({ "name": "no name" })
        }
        ("POST", path) if path.ends_with("/clone") => json!({ "name": "bakery" }),
        _ => json!({}),
    }
}

#[tokio::test]
async fn every_endpoint_for_every_kind_of_caller() {
    let meta = Meta::start(1).await;
    let owner = meta.member("owner").await;
    let stranger = meta.member("stranger").await;
    let create = meta.request_as(&owner, "POST", "/v1/tenants");
    let made = meta.call(with_json(create, &json!({ "name": "bakery" }))).await.is(202);
    let operation = made.at("/operation/id").to_owned();
    meta.ended(&operation).await;
    let fill = |path: &str| {
        path.replace("{name}", "bakery")
            .replace("{uid}", made.at("/tenant/uid"))
            .replace("{operation}", &operation)
            .replace("{shard}", "aipress-shard-001")
            .replace("{thing}", "akismet")
            .replace("{nothing}", "0b8ad4a6-3b5c-4f0e-9d5e-1f7a2c9e4d10")
            .replace("{hash}", &"5e".repeat(32))
    };
    let ask = async |token: Option<&str>, method: &str, path: &str| {
        let request = match token {
            Some(token) => meta.request_as(token, method, &fill(path)),
            None => http::Request::builder().method(method).uri(fill(path)),
        };
        let request = match method {
            "GET" => request.body(Bytes::new()).unwrap(),
            _ => with_json(request, &body(method, path)),
        };
        meta.call(request).await
    };
    let mut wrong_rows = Vec::new();
    for (method, path, as_stranger, as_owner, as_admin) in TABLE {
        let nobody = ask(None, method, path).await;
        nobody.is_problem(401, "unauthenticated");
        assert!(nobody.header("www-authenticate").starts_with("Bearer"), "{path}");
        let wrong = format!("aip_{}", "x".repeat(43));
        let wrong = ask(Some(&wrong), method, path).await;
        wrong.is_problem(401, "unauthenticated");
        assert!(wrong.header("www-authenticate").contains("invalid_token"));
        for (who, token, status) in [
            ("stranger", &stranger, as_stranger),
            ("owner", &owner, as_owner),
            ("admin", &meta.admin, as_admin),
        ] {
            let answer = ask(Some(token), method, path).await;
            if answer.status != *status {
                let (is, text) = (answer.status, &answer.text);
                wrong_rows.push(format!("{who} {method} {path}: {is}, not {status}: {text}"));
            }
            if answer.status >= 400 {
                assert_eq!(answer.header("content-type"), "application/problem+json");
            }
        }
    }
    assert!(wrong_rows.is_empty(), "{}", wrong_rows.join("\n"));
    let health = http::Request::get("/v1/health").body(Bytes::new()).unwrap();
    meta.call(health).await.is(200);
    // The table is whole: each endpoint of the document, but the open one, is in it.
    let document = serde_json::to_value(crate::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let same = |line: &&(&str, &str, u16, u16, u16)| {
                line.0.eq_ignore_ascii_case(method) && shape(line.1) == shape(path)
            };
            if !OPEN.contains(&path.as_str()) && !TABLE.iter().any(|line| same(&line)) {
                wrong_rows.push(format!("{method} {path} is not in the table"));
            }
        }
    }
    assert!(wrong_rows.is_empty(), "{}", wrong_rows.join("\n"));
}

#[tokio::test]
async fn what_may_not_be_seen_looks_like_what_is_not_there() {
    let meta = Meta::start(1).await;
    let made = meta.made("bakery").await;
    let stranger = meta.member("stranger").await;
    let ask = async |path: &str| {
        let request = meta.request_as(&stranger, "GET", path).body(Bytes::new()).unwrap();
        meta.call(request).await
    };
    let normal = |answer: &super::harness::Answer, id: &str| {
        let mut body = answer.body.clone();
        body["requestId"] = json!("x");
        body["instance"] = json!("x");
        body["detail"] = json!(answer.at("/detail").replace(id, "ID"));
        body
    };
    let none = "00000000-0000-4000-8000-000000000000";
    for (there, absent, path) in [
        ("bakery", "nothing", "/v1/tenants/{}"),
        (made.at("/tenant/uid"), none, "/v1/tenants/{}"),
        (made.at("/operation/id"), none, "/v1/operations/{}"),
        (made.at("/operation/id"), none, "/v1/operations/{}/events"),
        ("aipress-shard-001", "aipress-shard-009", "/v1/shards/{}"),
    ] {
        let seen = ask(&path.replace("{}", there)).await;
        let unseen = ask(&path.replace("{}", absent)).await;
        seen.is_problem(404, "not_found");
        assert_eq!(normal(&seen, there), normal(&unseen, absent), "{path}");
    }
    for list in ["/v1/tenants", "/v1/operations", "/v1/audit"] {
        assert_eq!(ask(list).await.is(200).body["items"], json!([]), "{list}");
    }
}

#[tokio::test]
async fn a_token_that_is_over_revoked_limited_or_of_a_disabled_user_is_refused() {
    let meta = Meta::start(0).await;
    let store = meta.store().await;
    let admin = store.token_by_hash(&admin_token::hash(&meta.admin)).await.unwrap().unwrap();
    let now = START;
    let mut tokens = Vec::new();
    let mut txn = store.begin().await.unwrap();
    for kind in ["over", "revoked", "limited"] {
        let (secret, mut insert) = admin_token::mint(admin.user.id, kind, now).unwrap();
        match kind {
            "over" => insert.token.expires_at = Some(now),
            "limited" => insert.token.scope = json!({ "tenants": [] }),
            _ => {}
        }
        txn.token_insert(&insert).await.unwrap();
        if kind == "revoked" {
            txn.token_revoke(insert.token.id, now).await.unwrap();
        }
        tokens.push(secret);
    }
    txn.commit().await.unwrap();
    for (token, status) in tokens.iter().zip([401, 401, 403]) {
        let request = meta.request_as(token.expose(), "GET", "/v1/tenants");
        let answer = meta.call(request.body(Bytes::new()).unwrap()).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let mut txn = store.begin().await.unwrap();
    txn.user_set_disabled(admin.user.id, Some(now)).await.unwrap();
    txn.commit().await.unwrap();
    meta.get("/v1/me").await.is_problem(401, "unauthenticated");
}
