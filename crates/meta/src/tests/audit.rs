//! The audit log by the API: for whom and why, and the look at its chains.

use bytes::Bytes;
use serde_json::json;

use super::harness::Meta;
use super::harness::with_json;

#[tokio::test]
async fn a_row_says_for_whom_why_and_from_which_plan() {
    let meta = Meta::start(1).await;
    let owner = meta.member("owner").await;
    let create = meta.request_as(&owner, "POST", "/v1/tenants");
    let made = meta.call(with_json(create, &json!({ "name": "bakery" }))).await.is(202);
    meta.ended(made.at("/operation/id")).await;
    let rows = async || meta.get("/v1/audit?tenant=bakery").await.is(200);
    let account = rows().await.at("/items/0/account").to_owned();
    assert!(rows().await.body["items"][0]["onBehalfOf"].is_null());
    // Somebody of the platform, in words of his own language, by a plan.
    let request = meta.request("POST", "/v1/tenants/bakery/suspend?dryRun=true");
    let plan = meta.call(request.body(Bytes::new()).unwrap()).await.is(200);
    let path = format!("/v1/plans/{}/apply", plan.at("/hash"));
    let request = meta.request("POST", &path).header("audit-reason", "säumig seit März".as_bytes());
    meta.call(request.body(Bytes::new()).unwrap()).await.is(202);
    let told = rows().await;
    assert_eq!(told.at("/items/0/action"), "tenant.suspend");
    assert_eq!(told.at("/items/0/onBehalfOf"), format!("account:{account}"));
    assert_eq!(told.at("/items/0/reason"), "säumig seit März");
    assert_eq!(told.at("/items/0/plan"), plan.at("/hash"));
    assert_eq!(told.at("/items/0/name"), "bakery");
    assert_eq!(told.body["items"][0]["chain"]["seq"], 2);
    for wrong in [&b""[..], b"\xff", b"a\tb", "x".repeat(501).as_bytes()] {
        let request = meta.request("POST", "/v1/tenants/bakery/resume");
        let request = request.header("audit-reason", wrong).body(Bytes::new()).unwrap();
        meta.call(request).await.is_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn everyone_looks_at_the_chains_that_are_theirs() {
    let meta = Meta::start(1).await;
    let owner = meta.member("owner").await;
    let create = meta.request_as(&owner, "POST", "/v1/tenants");
    let made = meta.call(with_json(create, &json!({ "name": "bakery" }))).await.is(202);
    meta.ended(made.at("/operation/id")).await;
    let account = meta.get("/v1/audit?tenant=bakery").await.at("/items/0/account").to_owned();
    let request = meta.request("PATCH", "/v1/shards/aipress-shard-001");
    let body = json!({ "schedulability": "cordoned" });
    meta.call(with_json(request, &body)).await.is(200);
    let look = async |token: &str, path: &str| {
        meta.call(meta.request_as(token, "GET", path).body(Bytes::new()).unwrap()).await
    };
    let all = look(&meta.admin, "/v1/audit/verification").await.is(200);
    assert_eq!((&all.body["whole"], &all.body["chains"]), (&json!(true), &json!(2)));
    let own = look(&owner, "/v1/audit/verification").await.is(200);
    assert_eq!((&own.body["chains"], &own.body["rows"]), (&json!(1), &json!(1)));
    let platform = "/v1/audit/verification?account=platform";
    assert_eq!(look(&meta.admin, platform).await.is(200).body["rows"], 1);
    look(&owner, platform).await.is_problem(404, "not_found");
    let stranger = meta.member("stranger").await;
    let other = format!("/v1/audit/verification?account={account}");
    look(&stranger, &other).await.is_problem(404, "not_found");
    look(&meta.admin, "/v1/audit/verification?account=nobody").await.is_problem(404, "not_found");
    look(&owner, &other).await.is(200);
}
