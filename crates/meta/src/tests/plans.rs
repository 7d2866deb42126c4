//! Plans: they check everything, change nothing, and apply only while what they were made from
//! holds.

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use super::harness::Meta;
use super::harness::START;
use super::harness::with_json;

/// All that a change could have left in the registry but plans.
async fn everything(meta: &Meta) -> Vec<Value> {
    let mut all = Vec::new();
    for path in [
        "/v1/tenants?state=active,creating,suspended,deleted,failed",
        "/v1/operations",
        "/v1/audit",
        "/v1/shards",
    ] {
        all.push(meta.get(path).await.is(200).body["items"].clone());
    }
    all
}

#[tokio::test]
async fn a_dry_run_of_every_change_checks_all_and_changes_nothing() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    meta.made("gone").await;
    meta.done("gone", "delete").await;
    meta.made("asleep").await;
    meta.done("asleep", "suspend").await;
    let before = everything(&meta).await;
    let document = json!({ "apiVersion": "aipress.io/v1", "kind": "Tenant",
        "metadata": { "name": "bakery", "labels": { "a": "b" } }, "spec": { "tier": "gold" } });
    for (method, path, body, action, changes) in [
        ("POST", "/v1/tenants", json!({ "name": "new" }), "tenant.create", true),
        ("PUT", "/v1/tenants/bakery", document, "tenant.update", true),
        (
            "PATCH",
            "/v1/tenants/bakery",
            json!({ "spec": { "tier": "silver" } }),
            "tenant.update",
            true,
        ),
        ("PATCH", "/v1/tenants/bakery", json!({ "spec": {} }), "tenant.update", false),
        ("POST", "/v1/tenants/bakery/suspend", Value::Null, "tenant.suspend", true),
        ("POST", "/v1/tenants/asleep/resume", Value::Null, "tenant.resume", true),
        ("DELETE", "/v1/tenants/bakery", Value::Null, "tenant.delete", true),
        ("POST", "/v1/tenants/gone/undelete", Value::Null, "tenant.undelete", true),
        ("POST", "/v1/tenants/gone/erase", Value::Null, "tenant.erase", true),
        (
            "PATCH",
            "/v1/shards/aipress-shard-001",
            json!({ "schedulability": "cordoned" }),
            "shard.update",
            true,
        ),
    ] {
        let dry = format!("{path}?dryRun=true");
        let request = meta.request(method, &dry);
        let plan = match &body {
            Value::Null => meta.call(request.body(Bytes::new()).unwrap()).await,
            body => meta.call(with_json(request, body)).await,
        }
        .is(200);
        assert_eq!(plan.at("/items/0/action"), action, "{}", plan.text);
        assert_eq!(plan.at("/items/0/path"), path);
        assert_eq!(plan.body["changesNothing"], !changes, "{}", plan.text);
        assert!(!plan.at("/items/0/undo").is_empty() && plan.at("/hash").len() == 64);
        assert_eq!(
            meta.get(&format!("/v1/plans/{}", plan.at("/hash"))).await.is(200).body,
            plan.body
        );
        // The same by `POST /v1/plans`.
        let same =
            meta.post("/v1/plans", json!({ "method": method, "path": path, "body": body })).await;
        assert_eq!(same.is(200).body["hash"], plan.body["hash"], "{method} {path}");
    }
    assert_eq!(everything(&meta).await, before, "nothing was written but plans");

    for (method, path, body, status, code) in [
        ("POST", "/v1/tenants", json!({ "name": "bakery" }), 409, "name_taken"),
        ("POST", "/v1/tenants", json!({ "name": "x" }), 422, "invalid_fields"),
        ("POST", "/v1/tenants/gone/suspend", json!({}), 409, "invalid_state"),
        ("POST", "/v1/tenants/none/suspend", json!({}), 404, "not_found"),
    ] {
        let dry = format!("{path}?dryRun=true");
        meta.call(with_json(meta.request(method, &dry), &body)).await.is_problem(status, code);
    }
    let odd = meta.post("/v1/tenants?dryRun=yes", json!({ "name": "new" })).await;
    odd.is_problem(400, "invalid_query");
}

#[tokio::test]
async fn no_room_is_found_out_by_a_dry_run() {
    let meta = Meta::start_with(&[1]).await;
    meta.post("/v1/tenants?dryRun=true", json!({ "name": "second" })).await.is(200);
    meta.made("first").await;
    let full = meta.post("/v1/tenants?dryRun=true", json!({ "name": "second" })).await;
    full.is_problem(409, "no_capacity");
}

#[tokio::test]
async fn a_plan_is_applied_while_it_fits() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let plan = meta
        .call(with_json(
            meta.request("PATCH", "/v1/tenants/bakery?dryRun=true"),
            &json!({ "spec": { "tier": "gold" } }),
        ))
        .await
        .is(200);
    assert_eq!(plan.at("/items/0/changes/0/pointer"), "/spec/tier");
    assert_eq!(plan.at("/items/0/changes/0/before"), "bronze");
    let path = format!("/v1/plans/{}", plan.at("/hash"));
    let apply = format!("{path}/apply");

    let stranger = meta.member("stranger").await;
    for (method, path) in [("GET", &path), ("POST", &apply)] {
        let request = meta.request_as(&stranger, method, path).body(Bytes::new()).unwrap();
        meta.call(request).await.is_problem(404, "not_found");
    }

    let applied = meta.post(&apply, json!({})).await.is(202);
    assert_eq!(applied.body["complete"], true);
    assert_eq!(applied.at("/results/0/body/tenant/spec/tier"), "gold");
    meta.ended(applied.at("/results/0/body/operation/id")).await;

    // Now it is gold: the plan is another one, that changes nothing.
    let stale = meta.post(&apply, json!({})).await;
    stale.is_problem(409, "plan_stale");
    assert_eq!(stale.body["plan"]["changesNothing"], true);
    assert_ne!(stale.body["plan"]["hash"], plan.body["hash"]);
    let fresh = format!("/v1/plans/{}/apply", stale.at("/plan/hash"));
    assert_eq!(meta.post(&fresh, json!({})).await.is(200).body["complete"], true);
}

#[tokio::test]
async fn a_plan_that_is_over_or_impossible_does_nothing() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let suspend = json!({ "method": "POST", "path": "/v1/tenants/bakery/suspend" });
    let plan = meta.post("/v1/plans", suspend).await.is(200);
    let apply = format!("/v1/plans/{}/apply", plan.at("/hash"));
    meta.clock.set(START + time::Duration::minutes(16));
    meta.shards[0].report(&[]).await.is(200);
    let over = meta.post(&apply, json!({})).await;
    over.is_problem(409, "plan_expired");
    assert_eq!(over.body["plan"]["hash"], plan.body["hash"], "nothing else has changed");
    assert_eq!(meta.state("bakery").await, "active");
    // The new one has the same content, so it is the same plan, prolonged.
    meta.post(&apply, json!({})).await.is(202);
    super::harness::until("suspended", || async {
        (meta.state("bakery").await == "suspended").then_some(())
    })
    .await;
    let impossible = meta.post(&apply, json!({})).await;
    impossible.is_problem(409, "plan_stale");
    assert!(impossible.at("/detail").contains("suspended already"), "{}", impossible.text);
    meta.post("/v1/plans/none/apply", json!({})).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn documents_are_planned_together_and_applied_in_order() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let document = |name: &str, spec: Value| json!({ "apiVersion": "aipress.io/v1", "kind": "Tenant", "metadata": { "name": name }, "spec": spec });
    let good = [document("bakery", json!({ "tier": "silver" })), document("cakes", json!({}))];
    let bad = json!({ "documents": [document("bakery", json!({ "teir": 1 })), document("x", json!({}))] });
    let refused = meta.post("/v1/plans", bad).await;
    refused.is_problem(422, "invalid_fields");
    assert_eq!(refused.at("/errors/0/pointer"), "/documents/0/spec/teir");
    assert_eq!(refused.at("/errors/1/pointer"), "/documents/1/metadata/name");

    let plan = meta.post("/v1/plans", json!({ "documents": good })).await.is(200);
    assert_eq!(plan.at("/items/0/action"), "tenant.update");
    assert_eq!(plan.at("/items/1/action"), "tenant.create");
    meta.get("/v1/tenants/cakes").await.is_problem(404, "not_found");
    let apply = format!("/v1/plans/{}/apply", plan.at("/hash"));
    let applied = meta.post(&apply, json!({})).await.is(202);
    assert_eq!(
        (applied.body["results"].as_array().unwrap().len(), &applied.body["complete"]),
        (2, &json!(true))
    );
    meta.ended(applied.at("/results/1/body/operation/id")).await;
    assert_eq!(meta.get("/v1/tenants/cakes").await.at("/state"), "active");

    for (body, pointer) in [
        (json!({}), ""),
        (json!({ "method": "GET", "path": "/v1/tenants" }), "/method"),
        (json!({ "method": "POST", "path": "/v1/tenants?x=1" }), "/path"),
        (json!({ "method": "POST", "path": "http://x/" }), "/path"),
        (json!({ "method": "POST", "path": "/v1/plans" }), "/path"),
        (json!({ "documents": [{}] }), "/documents/0/metadata/name"),
        (json!({ "documents": [document("a/b", json!({}))] }), "/documents/0/metadata/name"),
        (
            json!({ "documents": [document("abc", json!({})), document("abc", json!({}))] }),
            "/documents/1/metadata/name",
        ),
    ] {
        let answer = meta.post("/v1/plans", body.clone()).await;
        answer.is_problem(422, "invalid_fields");
        assert_eq!(answer.at("/errors/0/pointer"), pointer, "{body}");
    }
}
