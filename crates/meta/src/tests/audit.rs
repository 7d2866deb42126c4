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

#[tokio::test]
async fn what_was_signed_for_is_compared() {
    let mut meta = Meta::start(1).await;
    meta.made("bakery").await;
    // The last act of a meta that ends.
    meta.restart().await;
    let seen = meta.get("/v1/audit/verification").await.is(200);
    assert_eq!(
        (&seen.body["whole"], &seen.body["checkpoints"]["count"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(seen.body["checkpoints"]["compared"], 1);
    let shown = meta.get("/v1/audit/checkpoints").await.is(200);
    assert!(shown.at("/publicKey").starts_with("-----BEGIN PUBLIC KEY-----"));
    let key = aipress_audit::PublicKey::parse(shown.at("/key")).unwrap();
    let path = meta.folder.path().join("checkpoints.jsonl");
    let anchor = aipress_audit::read(&path, &key, 0).unwrap().anchors.remove(0);
    let of = |seq: u64, link: String| {
        format!("/v1/audit/verification?account={}&anchor={seq}:{link}", anchor.chain)
    };
    let known = hex::encode(anchor.link);
    assert_eq!(meta.get(&of(1, known.clone())).await.is(200).body["whole"], true);
    let other = meta.get(&of(1, "0".repeat(64))).await.is(200);
    assert_eq!(other.at("/findings/0/fault"), "rewritten");
    let behind = meta.get(&of(9, known)).await.is(200);
    assert_eq!(behind.at("/findings/0/fault"), "cutOff");
    for wrong in ["/v1/audit/verification?anchor=1:00", &of(1, "zz".to_owned())] {
        meta.get(wrong).await.is_problem(400, "invalid_query");
    }
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"n\":1", "\"n\":2")).unwrap();
    let seen = meta.get("/v1/audit/verification").await.is(200);
    assert_eq!(seen.body["whole"], false);
    assert!(seen.at("/checkpoints/faults/0").contains("was changed"), "{}", seen.text);
}

#[tokio::test]
async fn rows_are_found_by_request_and_text_and_exported() {
    let meta = Meta::start(1).await;
    for name in ["bakery", "museum"] {
        meta.made(name).await;
    }
    let owner = meta.member("owner").await;
    let all = meta.get("/v1/audit").await.is(200);
    let request = all.at("/items/1/requestId");
    let one = meta.get(&format!("/v1/audit?requestId={request}")).await.is(200);
    assert_eq!(
        (one.body["items"].as_array().unwrap().len(), one.at("/items/0/name")),
        (1, "bakery")
    );
    let found = meta.get("/v1/audit?q=MUSE").await.is(200);
    assert_eq!(found.body["items"].as_array().unwrap().len(), 1);
    assert!(found.body["nextCursor"].is_null());
    meta.get("/v1/audit?q=").await.is_problem(400, "invalid_query");
    let lines = meta.get("/v1/audit/export").await.is(200);
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    assert_eq!(lines.text.lines().count(), 2);
    let first: serde_json::Value =
        serde_json::from_str(lines.text.lines().next().unwrap()).unwrap();
    assert_eq!(first, all.body["items"][0]);
    let csv = meta.get("/v1/audit/export?format=csv&action=tenant.create").await.is(200);
    assert!(csv.text.starts_with("id,at,actor,"), "{}", csv.text);
    assert_eq!(csv.text.lines().count(), 3);
    meta.get("/v1/audit/export?format=xml").await.is_problem(400, "invalid_query");
    let own = meta.request_as(&owner, "GET", "/v1/audit/export").body(Bytes::new()).unwrap();
    assert_eq!(meta.call(own).await.is(200).text, "");
}
