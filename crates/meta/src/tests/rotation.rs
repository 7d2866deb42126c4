//! Other secrets for a site: made here, sealed, sent to its shard, shown nowhere.

use aipress_types::ObservedPhase;
use serde_json::json;

use super::harness::Meta;
use super::shard::Behaviour;
use super::shard::observed;

const PATH: &str = "/v1/tenants/bakery/rotate-secrets";

#[tokio::test]
async fn a_site_gets_the_secrets_that_were_asked_for_and_nobody_is_shown_them() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let shard = &meta.shards[0];
    let first = shard.intent("bakery", 1).await;
    let wrong = meta.post(PATH, json!({ "only": ["database", "salt"] })).await;
    wrong.is_problem(422, "invalid_fields");

    let asked = meta.post(PATH, json!({})).await.is(202);
    assert_eq!(asked.at("/operation/kind"), "tenant.rotate_secrets");
    let ended = meta.ended(asked.at("/operation/id")).await;
    assert_eq!(ended.at("/state"), "succeeded");
    let second = shard.intent("bakery", 2).await;
    assert_ne!(second.secrets.db_password, first.secrets.db_password);
    assert_ne!(second.secrets.redis_password, first.secrets.redis_password);
    assert_ne!(second.secrets.salts, first.secrets.salts);
    assert_eq!(shard.pull().await.intents[0].secrets, second.secrets, "pulled as it was pushed");

    let asked = meta.post(PATH, json!({ "only": ["cache"] })).await.is(202);
    meta.ended(asked.at("/operation/id")).await;
    let third = shard.intent("bakery", 3).await;
    assert_eq!(third.secrets.db_password, second.secrets.db_password);
    assert_eq!(third.secrets.salts, second.secrets.salts);
    assert_ne!(third.secrets.redis_password, second.secrets.redis_password);

    let audit = meta.get("/v1/audit?tenant=bakery").await;
    assert_eq!(audit.at("/items/0/action"), "tenant.rotate_secrets");
    assert_eq!(audit.body["items"][0]["after"]["rotated"], json!(["cache"]));
    assert_eq!(audit.body["items"][1]["after"]["rotated"], json!(["database", "cache", "salts"]));
    let events = meta.get("/v1/events").await;
    assert!(events.text.contains("tenant.rotate_secrets"), "{}", events.text);
    let plan = meta.post(&format!("{PATH}?dryRun=true"), json!({})).await.is(200);
    assert!(plan.text.contains("signed out"), "{}", plan.text);
    for intent in [&first, &second, &third] {
        for told in [&audit, &events, &plan, &asked, &ended] {
            assert!(!told.text.contains(intent.secrets.db_password.expose()), "{}", told.text);
            assert!(!told.text.contains(intent.secrets.salts["AUTH_KEY"].expose()));
        }
    }
    let pulled = shard.pull().await.intents;
    assert_eq!((pulled[0].generation, &pulled[0].secrets), (3, &third.secrets), "no plan changes");
}

#[tokio::test]
async fn a_site_that_is_being_made_or_is_deleted_keeps_its_secrets() {
    let meta = Meta::start(1).await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let made = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    meta.post(PATH, json!({})).await.is_problem(409, "invalid_state");
    let intent = shard.intent("bakery", 1).await;
    shard.report(&[observed(&intent, ObservedPhase::Converging, None)]).await.is(200);
    shard.converge(&intent).await.is(200);
    meta.ended(made.at("/operation/id")).await;
    shard.behave(Behaviour::Converge);
    meta.done("bakery", "suspend").await;
    let asked = meta.post(PATH, json!({})).await.is(202);
    meta.ended(asked.at("/operation/id")).await;
    assert_eq!(meta.state("bakery").await, "suspended", "it sleeps on");
    meta.done("bakery", "delete").await;
    meta.post(PATH, json!({})).await.is_problem(409, "invalid_state");
}
