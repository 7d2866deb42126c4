//! Slots: never given twice, skipped where a shard is not well, free again when a site is
//! deleted.

use std::sync::Arc;

use aipress_types::ShardHealth;
use aipress_types::placement::home_shard;
use serde_json::json;

use super::harness::Meta;
use super::harness::START;
use super::shard::Behaviour;

#[tokio::test]
async fn a_hundred_at_once_take_each_slot_once() {
    let meta = Arc::new(Meta::start_with(&[25, 15]).await);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..100 {
        let meta = Arc::clone(&meta);
        calls.spawn(async move {
            meta.post("/v1/tenants", json!({ "name": format!("site-{number}") })).await
        });
    }
    let (mut made, mut full) = (0, 0);
    while let Some(answer) = calls.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            202 => made += 1,
            _ => {
                answer.is_problem(409, "no_capacity");
                full += 1;
            }
        }
    }
    assert_eq!((made, full), (40, 60));
    let shards = meta.get("/v1/shards").await;
    assert_eq!(shards.body["items"][0]["taken"], 25);
    assert_eq!(shards.body["items"][1]["taken"], 15);
    let tenants = meta.get("/v1/tenants?limit=500").await;
    assert_eq!(tenants.body["items"].as_array().unwrap().len(), 40);
    let operations = meta.get("/v1/operations?limit=500").await;
    assert_eq!(operations.body["items"].as_array().unwrap().len(), 40);
    // Refused ones left nothing: as many audit rows as sites.
    let audit = meta.get("/v1/audit?limit=500&action=tenant.create").await;
    assert_eq!(audit.body["items"].as_array().unwrap().len(), 40);
}

#[tokio::test]
async fn the_walk_starts_at_home_and_skips_what_is_not_well() {
    let meta = Meta::start(2).await;
    // They report only when told to, so that their silence is real.
    for shard in &meta.shards {
        shard.behave(Behaviour::Hold);
    }
    let home = home_shard("bakery", 2).unwrap();
    let other = if home.number() == 1 { 2 } else { 1 };
    let make = async |name: &str| {
        meta.post("/v1/tenants", json!({ "name": name })).await.at("/tenant/shard").to_owned()
    };
    assert_eq!(make("bakery").await, home.to_string());
    let route = meta.get("/v1/tenants/bakery/route").await.is(200);
    assert_eq!(route.at("/home"), home.to_string());
    assert_eq!(route.body["hosts"], json!(["bakery.localhost"]));

    // Names whose home is the same shard.
    let mut names = (0..).map(|n| format!("bakery{n}")).filter(|n| home_shard(n, 2) == Some(home));
    let shard = &meta.shards[home.number() as usize - 1];
    shard.feel(ShardHealth::Degraded);
    shard.report(&[]).await.is(200);
    let elsewhere = format!("aipress-shard-00{other}");
    assert_eq!(make(&names.next().unwrap()).await, elsewhere, "degraded");
    shard.feel(ShardHealth::Healthy);
    shard.report(&[]).await.is(200);
    let closed = json!({ "schedulability": "cordoned" });
    meta.patch(&format!("/v1/shards/{home}"), closed).await.is(200);
    assert_eq!(make(&names.next().unwrap()).await, elsewhere, "cordoned");
    meta.patch(&format!("/v1/shards/{home}"), json!({ "schedulability": "open" })).await.is(200);
    assert_eq!(make(&names.next().unwrap()).await, home.to_string(), "open again");

    // Silent for 16 s: unknown, whatever it said last.
    meta.clock.set(START + time::Duration::seconds(10));
    meta.shards[other as usize - 1].report(&[]).await.is(200);
    meta.clock.set(START + time::Duration::seconds(16));
    let shown = meta.get(&format!("/v1/shards/{home}")).await;
    assert_eq!(shown.at("/health"), "unknown");
    assert_eq!(make(&names.next().unwrap()).await, elsewhere, "silent");
    meta.clock.set(START + time::Duration::seconds(60));
    let none = meta.post("/v1/tenants", json!({ "name": names.next().unwrap() })).await;
    none.is_problem(409, "no_capacity");
    assert!(none.at("/detail").contains("2 not healthy"), "{}", none.text);
    assert_eq!(meta.get("/v1/health").await.body["healthyShards"], 0);
    let nowhere = json!({ "name": "florist", "spec": { "region": "europe-west1" } });
    meta.post("/v1/tenants", nowhere).await.is_problem(409, "no_capacity");
}

#[tokio::test]
async fn a_deleted_site_frees_its_slot_and_comes_back_if_there_is_one() {
    let meta = Meta::start_with(&[1]).await;
    meta.made("first").await;
    meta.post("/v1/tenants", json!({ "name": "second" })).await.is_problem(409, "no_capacity");
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let deleting = meta.delete("/v1/tenants/first").await.is(202);
    // Still in its slot until the shard says otherwise.
    meta.post("/v1/tenants", json!({ "name": "second" })).await.is_problem(409, "no_capacity");
    let intent = shard.intent("first", 2).await;
    shard.behave(Behaviour::Converge);
    shard.converge(&intent).await.is(200);
    meta.ended(deleting.at("/operation/id")).await;
    meta.made("second").await;
    let full = meta.post("/v1/tenants/first/undelete", json!({})).await;
    full.is_problem(409, "no_capacity");
    assert!(full.at("/detail").contains("aipress-shard-001"), "{}", full.text);
    meta.done("second", "delete").await;
    meta.done("first", "undelete").await;
    assert_eq!(meta.state("first").await, "active");
    // An undelete under way counts as taken, too.
    meta.post("/v1/tenants/second/undelete", json!({})).await.is_problem(409, "no_capacity");
}
