//! The life of a site: made, changed, suspended, deleted, brought back, erased; overtaken in
//! between, interrupted by restarts, failed and mended.

use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::capacity::UNDELETE_WINDOW_S;
use serde_json::json;

use super::harness::Meta;
use super::harness::START;
use super::harness::until;
use super::shard::Behaviour;
use super::shard::observed;

#[tokio::test]
async fn a_site_is_made() {
    let meta = Meta::start(1).await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let body = json!({ "name": "bakery", "spec": { "tier": "silver", "wordpress":
        { "title": "Crumbs Bakery", "adminEmail": "owner@example.org" } } });
    let made = meta.post("/v1/tenants", body).await.is(202);
    assert_eq!(made.at("/tenant/state"), "creating");
    assert_eq!(made.at("/tenant/url"), "http://bakery.localhost:8080");
    assert_eq!(made.body["tenant"]["generation"], 1);
    assert_eq!(made.at("/operation/kind"), "tenant.create");
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "starting");
    // Readable at once.
    let operation = format!("/v1/operations/{}", made.at("/operation/id"));
    assert_eq!(meta.get(&operation).await.is(200).at("/state"), "pending");

    let intent = shard.intent("bakery", 1).await;
    assert_eq!(intent.home, "http://bakery.localhost:8080");
    assert_eq!(intent.hosts, ["bakery.localhost:8080"]);
    assert_eq!(intent.placement_epoch, 1);
    assert_eq!(intent.secrets.salts.len(), 8);
    assert_eq!(intent.operation.unwrap().to_string(), made.at("/operation/id"));
    let pulled = shard.pull().await;
    assert_eq!(pulled.intents, std::slice::from_ref(&intent), "pushed and pulled are the same");

    shard.report(&[observed(&intent, ObservedPhase::Converging, None)]).await.is(200);
    let running = meta.get(&operation).await;
    assert_eq!(running.at("/state"), "running");
    assert_eq!(running.at("/steps/2/name"), "database");
    assert_eq!(running.at("/steps/2/title"), "make the database");
    assert_eq!(running.at("/steps/2/state"), "running");
    shard.converge(&intent).await.is(200);
    let ended = meta.ended(made.at("/operation/id")).await;
    assert_eq!(ended.at("/state"), "succeeded");
    assert_eq!(ended.at("/url"), "http://bakery.localhost:8080");
    assert!(ended.body["steps"].as_array().unwrap().iter().all(|s| s["state"] == "succeeded"));
    let shown = meta.get("/v1/tenants/bakery").await;
    assert_eq!(shown.at("/state"), "active");
    assert_eq!(shown.body["slot"], 1);
    assert_eq!(shown.at("/wordpressVersion"), "7.1");
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "serving");
    // Nothing secret is shown anywhere.
    for path in ["/v1/tenants/bakery", &operation, "/v1/audit", "/v1/tenants"] {
        let text = meta.get(path).await.text;
        assert!(!text.contains(intent.secrets.db_password.expose()), "{path}");
        assert!(!text.contains(intent.secrets.redis_password.expose()), "{path}");
    }
}

#[tokio::test]
async fn deleted_undeleted_erased_and_the_name_is_free_again() {
    let meta = Meta::start(1).await;
    let uid = meta.made("bakery").await.at("/tenant/uid").to_owned();
    meta.post("/v1/tenants/bakery/erase", json!({})).await.is_problem(409, "invalid_state");
    let suspended = meta.done("bakery", "suspend").await;
    assert_eq!(suspended.at("/state"), "succeeded");
    assert_eq!(meta.state("bakery").await, "suspended");
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "suspended");
    meta.post("/v1/tenants/bakery/suspend", json!({})).await.is_problem(409, "invalid_state");
    meta.done("bakery", "resume").await;
    assert_eq!(meta.state("bakery").await, "active");

    meta.done("bakery", "delete").await;
    let deleted = meta.get("/v1/tenants/bakery").await.is(200);
    assert_eq!(deleted.at("/state"), "deleted");
    assert!(!deleted.at("/deletedAt").is_empty());
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "gone");
    let change = json!({ "spec": { "tier": "gold" } });
    meta.patch("/v1/tenants/bakery", change).await.is_problem(409, "invalid_state");
    meta.done("bakery", "undelete").await;
    assert_eq!(meta.state("bakery").await, "active");
    assert_eq!(meta.get("/v1/tenants/bakery").await.at("/uid"), uid);

    meta.done("bakery", "delete").await;
    let erased = meta.done("bakery", "erase").await;
    assert_eq!(erased.at("/state"), "succeeded");
    meta.get("/v1/tenants/bakery").await.is_problem(404, "not_found");
    let blank = meta.get(&format!("/v1/tenants/{uid}")).await.is(200);
    assert_eq!(blank.at("/state"), "erased");
    assert!(meta.shards[0].pull().await.intents.is_empty());
    let path = format!("/v1/tenants/{uid}/undelete");
    meta.post(&path, json!({})).await.is_problem(409, "invalid_state");
    let anew = meta.made("bakery").await;
    assert_ne!(anew.at("/tenant/uid"), uid);
}

#[tokio::test]
async fn a_site_is_erased_seven_days_after_its_deletion() {
    let mut meta = Meta::start(1).await;
    meta.made("bakery").await;
    meta.made("florist").await;
    meta.done("bakery", "delete").await;
    let week = time::Duration::seconds(i64::try_from(UNDELETE_WINDOW_S).unwrap());
    meta.clock.set(START + week - time::Duration::seconds(1));
    // Reconcilers run at start.
    meta.restart().await;
    assert_eq!(meta.state("bakery").await, "deleted");
    meta.clock.set(START + week + time::Duration::seconds(1));
    meta.restart().await;
    until("the erasure", || async {
        (meta.get("/v1/tenants/bakery").await.status == 404).then_some(())
    })
    .await;
    assert_eq!(meta.state("florist").await, "active");
    let operations = meta.get("/v1/operations?kind=tenant.erase").await;
    assert_eq!(operations.at("/items/0/actor"), "role:meta");
}

#[tokio::test]
async fn a_clock_that_jumps_erases_nothing() {
    let mut meta = Meta::start(1).await;
    meta.made("bakery").await;
    meta.done("bakery", "delete").await;
    let events = meta.get("/v1/events").await.body["items"].as_array().unwrap().len();
    // It takes the sockets' place, which the restart takes back.
    let plane = super::plane::over(meta.store().await, &meta).await;
    // Ten years ahead, and a start in between: what goes by its age would go now.
    meta.clock.jump(START + time::Duration::days(3_650));
    meta.restart().await;
    let believed = async || meta.get("/v1/health").await.body["healthyShards"] == 1;
    meta.shards[0].report(&[]).await.is(200);
    assert!(believed().await, "the next report is of now");
    crate::reconcilers::erase_and_sweep(&plane).await;
    assert_eq!(meta.state("bakery").await, "deleted");
    let still = meta.get("/v1/events").await.body["items"].as_array().unwrap().len();
    assert!(still >= events, "history is gone");
    // Put right again: shards are believed from their next word on, and the site comes back.
    meta.clock.jump(START);
    meta.shards[0].report(&[]).await.is(200);
    assert!(believed().await, "the next report is of now");
    crate::reconcilers::erase_and_sweep(&plane).await;
    meta.done("bakery", "undelete").await;
    assert_eq!(meta.state("bakery").await, "active");
    // Deleted again it goes when its time has truly passed.
    meta.done("bakery", "delete").await;
    let week = time::Duration::seconds(i64::try_from(UNDELETE_WINDOW_S).unwrap());
    meta.clock.set(START + week + time::Duration::hours(1));
    meta.restart().await;
    until("the erasure", || async {
        (meta.get("/v1/tenants/bakery").await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_later_change_overtakes_an_earlier_one() {
    let meta = Meta::start(1).await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let making = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let first = shard.intent("bakery", 1).await;
    let deleting = meta.delete("/v1/tenants/bakery").await.is(202);
    let overtaken = meta.get(&format!("/v1/operations/{}", making.at("/operation/id"))).await;
    assert_eq!(overtaken.at("/state"), "superseded");
    // What the shard says of the earlier generation is dropped and named.
    let late = shard.converge(&first).await.is(200);
    assert_eq!(late.at("/stale/0"), making.at("/tenant/uid"));
    assert_eq!(meta.state("bakery").await, "creating");
    let second = shard.intent("bakery", 2).await;
    assert_eq!(second.desired, DesiredState::Deleted);
    shard.converge(&second).await.is(200);
    assert_eq!(meta.ended(deleting.at("/operation/id")).await.at("/state"), "succeeded");
    assert_eq!(meta.state("bakery").await, "deleted");
}

#[tokio::test]
async fn a_change_of_the_spec() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let before = meta.get("/v1/tenants/bakery").await;
    let same = meta.patch("/v1/tenants/bakery", json!({ "spec": { "tier": "bronze" } })).await;
    let same = same.is(200);
    assert_eq!(same.at("/operation/state"), "succeeded");
    assert_eq!(same.at("/tenant/etag"), before.at("/etag"));
    assert_eq!(same.body["tenant"]["generation"], 1);

    let gold = meta.patch("/v1/tenants/bakery", json!({ "spec": { "tier": "gold" } })).await;
    let gold = gold.is(202);
    assert_eq!(gold.body["tenant"]["generation"], 2);
    assert_eq!(meta.ended(gold.at("/operation/id")).await.at("/state"), "succeeded");
    let intent = meta.shards[0].intent("bakery", 2).await;
    assert_eq!(intent.spec.tier, aipress_types::Tier::Gold);
    let title = json!({ "spec": { "wordpress": { "title": "x" } } });
    let fixed = meta.patch("/v1/tenants/bakery", title).await;
    fixed.is_problem(422, "invalid_fields");
    assert_eq!(fixed.at("/errors/0/pointer"), "/spec/wordpress/title");
    let typo = meta.patch("/v1/tenants/bakery", json!({ "spec": { "teir": "gold" } })).await;
    assert_eq!(typo.at("/errors/0/pointer"), "/spec/teir");
    for bad in [json!({ "spec": null }), json!({ "spec": 5 }), json!({})] {
        meta.patch("/v1/tenants/bakery", bad).await.is_problem(422, "invalid_fields");
    }
}

#[tokio::test]
async fn a_failure_is_told_and_mended_by_another_try() {
    let meta = Meta::start(1).await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Fail("the disk is full".to_owned()));
    let made = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let ended = meta.ended(made.at("/operation/id")).await;
    assert_eq!(ended.at("/state"), "failed");
    assert_eq!(ended.at("/error/detail"), "the disk is full");
    assert_eq!(meta.state("bakery").await, "failed");
    assert_eq!(meta.get("/v1/tenants/bakery").await.at("/message"), "the disk is full");
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "broken");
    shard.behave(Behaviour::Converge);
    assert_eq!(meta.done("bakery", "resume").await.at("/state"), "succeeded");
    assert_eq!(meta.state("bakery").await, "active");
    assert_eq!(meta.get("/v1/tenants/bakery").await.body.get("message"), None);

    // A change that fails leaves a site that is up as it is.
    shard.behave(Behaviour::Fail("no such version".to_owned()));
    let version = json!({ "spec": { "wordpress": { "version": "9.9" } } });
    let change = meta.patch("/v1/tenants/bakery", version).await.is(202);
    assert_eq!(meta.ended(change.at("/operation/id")).await.at("/state"), "failed");
    assert_eq!(meta.state("bakery").await, "active");
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "serving");
}

#[tokio::test]
async fn a_site_that_breaks_is_broken_until_the_shard_has_mended_it() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let shard = &meta.shards[0];
    let intent = shard.intent("bakery", 1).await;
    shard.report(&[observed(&intent, ObservedPhase::Failed, Some("database is gone"))]).await;
    assert_eq!(meta.state("bakery").await, "failed");
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "broken");
    shard.converge(&intent).await.is(200);
    assert_eq!(meta.state("bakery").await, "active");
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "serving");
    let etag = meta.get("/v1/tenants/bakery").await.at("/etag").to_owned();
    shard.converge(&intent).await.is(200);
    assert_eq!(meta.get("/v1/tenants/bakery").await.at("/etag"), etag, "nothing new, no write");
}

#[tokio::test]
async fn a_restart_in_the_middle_goes_on() {
    let mut meta = Meta::start(1).await;
    meta.shards[0].behave(Behaviour::Refuse);
    let made = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let shard = meta.shards[0].clone();
    until("a push", || async { (shard.pushes() > 0).then_some(()) }).await;
    meta.stop().await;
    shard.behave(Behaviour::Hold);
    meta.restart().await;
    // Nobody asked again: the restart itself takes it up.
    let intent = shard.intent("bakery", 1).await;
    shard.converge(&intent).await.is(200);
    // Reported before, ended after.
    meta.restart().await;
    assert_eq!(meta.ended(made.at("/operation/id")).await.at("/state"), "succeeded");
    assert_eq!(meta.state("bakery").await, "active");
}
