//! The calls between roles: only with the right token, for what is one's own.

use aipress_api::PROTOCOL_HEADER;
use aipress_api::ROLE_HEADER;
use aipress_types::ObservedPhase;
use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::harness::Answer;
use super::harness::Meta;
use super::harness::role_request;
use super::harness::send;
use super::harness::token;
use super::shard::Behaviour;
use super::shard::observed;

async fn ask(meta: &Meta, request: http::request::Builder) -> Answer {
    let socket = meta.folder.path().join("internal.sock");
    send(&socket, request.body(Bytes::new()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn only_a_role_with_its_token_and_the_right_protocol_gets_in() {
    let meta = Meta::start(2).await;
    let path = "/internal/v1/shards/aipress-shard-001/intents";
    ask(&meta, Request::get(path)).await.is_problem(401, "unauthenticated");
    let with = |role: &str, token: &str, protocol: &str| {
        Request::get(path)
            .header("authorization", format!("Bearer {token}"))
            .header(ROLE_HEADER, role)
            .header(PROTOCOL_HEADER, protocol)
    };
    let own = "aipress-shard-001";
    ask(&meta, with(own, &token(own), "1")).await.is(200);
    ask(&meta, with(own, "wrong", "1")).await.is_problem(401, "unauthenticated");
    ask(&meta, with(own, &meta.admin, "1")).await.is_problem(401, "unauthenticated");
    let other = "aipress-shard-002";
    ask(&meta, with(own, &token(other), "1")).await.is_problem(401, "unauthenticated");
    ask(&meta, with(other, &token(other), "1")).await.is_problem(403, "forbidden");
    ask(&meta, with("edge", &token("edge"), "1")).await.is_problem(403, "forbidden");
    ask(&meta, with(own, &token(own), "2")).await.is_problem(409, "protocol_mismatch");
    ask(&meta, with(own, &token(own), "")).await.is_problem(409, "protocol_mismatch");
    let routes = role_request(own, "GET", "/internal/v1/routes");
    ask(&meta, routes).await.is_problem(403, "forbidden");
    // The two listeners are apart.
    let public = meta.get(path).await;
    public.is_problem(404, "not_found");
    ask(&meta, meta.request("GET", "/v1/tenants")).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_shard_reports_of_what_is_its_own() {
    let meta = Meta::start(2).await;
    for shard in &meta.shards {
        shard.behave(Behaviour::Hold);
    }
    let made = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let (own, other) = match made.at("/tenant/shard") {
        "aipress-shard-001" => (&meta.shards[0], &meta.shards[1]),
        _ => (&meta.shards[1], &meta.shards[0]),
    };
    let intent = own.intent("bakery", 1).await;
    let uid = made.at("/tenant/uid");
    // Another shard, another placement, another generation, an unknown tenant: dropped.
    let mut older = intent.clone();
    older.placement_epoch = 0;
    let mut newer = intent.clone();
    newer.generation = 9;
    let mut unknown = intent.clone();
    unknown.uid = aipress_types::TenantUid(uuid::Uuid::new_v4());
    assert_eq!(other.converge(&intent).await.at("/stale/0"), uid);
    assert_eq!(own.converge(&older).await.at("/stale/0"), uid);
    assert_eq!(own.converge(&newer).await.at("/stale/0"), uid);
    assert_eq!(own.converge(&unknown).await.at("/stale/0"), unknown.uid.to_string());
    assert_eq!(meta.state("bakery").await, "creating");
    let taken = own.report(&[observed(&intent, ObservedPhase::Converged, None)]).await;
    assert_eq!(taken.body["stale"], json!([]));
    assert_eq!(meta.state("bakery").await, "active");
    assert!(other.pull().await.intents.is_empty());
}

#[tokio::test]
async fn an_edge_takes_a_snapshot_then_changes() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let get = async |query: &str| {
        let path = format!("/internal/v1/routes{query}");
        ask(&meta, role_request("edge", "GET", &path)).await
    };
    let snapshot = get("").await.is(200);
    assert_eq!(snapshot.body["snapshot"], true);
    assert_eq!(snapshot.at("/routes/0/host"), "bakery.localhost");
    assert_eq!(snapshot.at("/routes/0/name"), "bakery");
    assert_eq!(snapshot.at("/routes/0/upstream"), "unix:/gateway-1.sock");
    assert_eq!(snapshot.at("/routes/0/state"), "serving");
    assert_eq!(snapshot.body["routes"][0]["placementEpoch"], 1);
    let seq = snapshot.body["seq"].as_u64().unwrap();
    let quiet = get(&format!("?after={seq}")).await.is(200);
    assert_eq!((&quiet.body["seq"], &quiet.body["routes"]), (&json!(seq), &json!([])));
    // A number from a registry that is not this one.
    assert_eq!(get(&format!("?after={}", seq + 100)).await.body["snapshot"], true);

    let query = format!("?after={seq}&waitMs=20000");
    let (woken, _) = tokio::join!(get(&query), meta.done("bakery", "delete"));
    assert_eq!(woken.body["snapshot"], false);
    assert_eq!(woken.at("/routes/0/state"), "gone");
    let one = async |host: &str| {
        ask(&meta, role_request("edge", "GET", &format!("/internal/v1/routes/{host}"))).await
    };
    one("bakery.localhost").await.is_problem(404, "not_found");
    meta.done("bakery", "undelete").await;
    assert_eq!(one("Bakery.localhost").await.is(200).at("/state"), "serving");
    one("nobody.localhost").await.is_problem(404, "not_found");
}
