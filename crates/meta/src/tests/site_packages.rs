//! Plugins and themes of a site one by one, what its shard says became of them, and what a site has.

use aipress_packages::build::ZipBuilder;
use aipress_types::ObservedPhase;
use aipress_types::PackageKind;
use aipress_types::TenantIntent;
use aipress_types::intent::PackageRef;
use aipress_types::intent::RolledBack;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use super::harness::Answer;
use super::harness::Meta;
use super::harness::role_request;
use super::harness::send;
use super::harness::with_json;
use super::shard::Behaviour;
use super::shard::observed;

const PLUGINS: &str = "/v1/tenants/bakery/plugins";

async fn mirror(meta: &Meta, versions: &[&str]) {
    for version in versions {
        let zip = ZipBuilder::plugin("bread", version, "").bytes();
        let add = meta.request("POST", "/v1/packages").header("content-type", "application/zip");
        meta.call(add.body(Bytes::from(zip)).unwrap()).await.is(201);
    }
}

fn item(name: &str, version: &str, status: &str) -> Value {
    json!({ "name": name, "title": name, "version": version, "status": status,
        "autoUpdate": false, "update": "unknown" })
}

/// What a shard would see.
fn inventory(at: &str, plugins: &[Value]) -> Value {
    json!({
        "observedAt": at,
        "site": {
            "wordpressVersion": "7.1", "databaseVersion": 60000, "phpVersion": "8.2",
            "phpExtensions": [], "siteUrl": "http://bakery.localhost:8080", "locale": "en_US",
            "multisite": false, "permalinkStructure": "", "plugins": plugins,
            "themes": [item("crust", "1", "active"), item("crumb", "1", "inactive")],
            "users": { "total": 1, "byRole": { "administrator": 1 }, "administrators": ["admin"] },
            "content": { "posts": 1, "pages": 1, "attachments": 0, "comments": 0 },
        },
    })
}

/// Tells as the shard that the site sits on, or another.
async fn tell(meta: &Meta, shard: &str, uid: &str, body: &Value) -> Answer {
    let path = format!("/internal/v1/shards/{shard}/inventories/{uid}");
    let request = role_request(shard, "POST", &path);
    send(&meta.folder.path().join("internal.sock"), with_json(request, body)).await.unwrap()
}

async fn intent(meta: &Meta, answer: &Answer) -> TenantIntent {
    let generation = answer.body["tenant"]["generation"].as_u64().unwrap();
    meta.shards[0].intent("bakery", generation).await
}

fn entries(answer: &Answer) -> &Value {
    &answer.body["tenant"]["spec"]["plugins"]
}

#[tokio::test]
async fn each_change_of_a_plugin_is_one_of_the_document() {
    let meta = Meta::start(1).await;
    let site = meta.made("bakery").await;
    let bread = format!("{PLUGINS}/bread");
    meta.post(&format!("{bread}/activate"), json!({})).await.is_problem(404, "not_found");
    meta.post(PLUGINS, json!({ "name": "../x" })).await.is_problem(422, "invalid_fields");
    let installed = meta.post(PLUGINS, json!({ "name": "bread", "version": "1.0" })).await.is(202);
    assert_eq!(entries(&installed), &json!([{ "name": "bread", "version": "1.0" }]));
    meta.ended(installed.at("/operation/id")).await;
    let again = meta.post(PLUGINS, json!({ "name": "bread", "version": "1.0" })).await.is(200);
    assert_eq!(again.at("/operation/state"), "succeeded");
    let off = meta.post(&format!("{bread}/deactivate"), json!({})).await.is(202);
    assert_eq!(entries(&off), &json!([{ "name": "bread", "version": "1.0", "active": false }]));
    let on = meta.post(&format!("{bread}/activate"), json!({})).await.is(202);
    assert_eq!(entries(&on), &json!([{ "name": "bread", "version": "1.0" }]));

    // Nobody has one; then the mirror has two, and the directory is away.
    let update = format!("{bread}/update");
    meta.post(&update, json!({})).await.is_problem(503, "package_unavailable");
    mirror(&meta, &["1.9", "1.10"]).await;
    let planned = meta.post(&format!("{update}?dryRun=true"), json!({})).await.is(200);
    assert!(planned.text.contains("1.10"), "{}", planned.text);
    let newest = meta.post(&update, json!({})).await.is(202);
    assert_eq!(entries(&newest), &json!([{ "name": "bread", "version": "1.10" }]));
    let back = meta.post(&update, json!({ "version": "1.9" })).await.is(202);
    assert_eq!(entries(&back), &json!([{ "name": "bread", "version": "1.9" }]));
    let seen = inventory("2026-11-21T12:00:00Z", &[item("bread", "3.0", "active")]);
    tell(&meta, "aipress-shard-001", site.at("/tenant/uid"), &seen).await.is(200);
    let ahead = meta.post(&update, json!({})).await;
    ahead.is_problem(409, "invalid_state");
    assert!(ahead.at("/detail").contains("give that version"), "{}", ahead.text);

    let removed = meta.delete(&bread).await.is(202);
    assert_eq!(entries(&removed), &Value::Null);
    let told = intent(&meta, &removed).await;
    let package = PackageRef { kind: PackageKind::Plugin, name: "bread".to_owned() };
    assert_eq!((told.spec.plugins.len(), told.absent), (0, vec![package]));
    meta.ended(removed.at("/operation/id")).await;
    assert_eq!(meta.shards[0].pull().await.intents[0].absent, [], "it is done");
}

#[tokio::test]
async fn what_somebody_installed_by_hand_can_be_switched_and_removed() {
    let meta = Meta::start(1).await;
    let site = meta.made("bakery").await;
    let uid = site.at("/tenant/uid");
    let seen = inventory("2026-11-21T12:00:00Z", &[item("own", "1.0", "active")]);
    tell(&meta, "aipress-shard-001", uid, &seen).await.is(200);
    let listed = meta.get(PLUGINS).await.is(200);
    assert_eq!((listed.at("/items/0/name"), listed.at("/items/0/status")), ("own", "active"));
    assert_eq!(listed.body["items"][0].get("requested"), None);
    let off = meta.post(&format!("{PLUGINS}/own/deactivate"), json!({})).await.is(202);
    assert_eq!(entries(&off), &json!([{ "name": "own", "active": false }]));
    meta.get(&format!("{PLUGINS}/other")).await.is_problem(404, "not_found");
    let planned = meta
        .call(with_json(
            meta.request("DELETE", "/v1/tenants/bakery/themes/crumb?dryRun=true"),
            &json!({}),
        ))
        .await
        .is(200);
    assert!(planned.text.contains("theme crumb"), "{}", planned.text);
    let used = meta.delete("/v1/tenants/bakery/themes/crust").await;
    used.is_problem(409, "invalid_state");
    let gone = meta.delete("/v1/tenants/bakery/themes/crumb").await.is(202);
    assert_eq!(intent(&meta, &gone).await.absent[0].name, "crumb");
    // One theme is the site's own.
    let themes = "/v1/tenants/bakery/themes";
    meta.post(themes, json!({ "name": "a", "active": true })).await.is(202);
    let second = meta.post(themes, json!({ "name": "b", "active": true })).await.is(202);
    assert_eq!(
        second.body["tenant"]["spec"]["themes"],
        json!([{ "name": "a" }, { "name": "b", "active": true }])
    );
}

#[tokio::test]
async fn a_change_that_was_taken_back_leaves_the_site_up_and_is_told_once() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let wish = json!({ "name": "bread", "version": "6.6.6" });
    let asked = meta.post(PLUGINS, wish).await.is(202);
    let told = intent(&meta, &asked).await;
    let mut report = observed(&told, ObservedPhase::Failed, Some("bread was taken back"));
    report.serving = true;
    report.rolled_back = vec![RolledBack {
        package: PackageRef { kind: PackageKind::Plugin, name: "bread".to_owned() },
        message: "bread was taken back".to_owned(),
    }];
    shard.report(std::slice::from_ref(&report)).await.is(200);
    shard.report(std::slice::from_ref(&report)).await.is(200);
    let ended = meta.ended(asked.at("/operation/id")).await;
    assert_eq!(ended.at("/state"), "failed");
    assert!(ended.text.contains("bread was taken back"), "{}", ended.text);
    assert_eq!(meta.state("bakery").await, "active");
    assert_eq!(meta.get("/v1/tenants/bakery/route").await.at("/state"), "serving");
    let seen = meta.get(&format!("{PLUGINS}/bread")).await.is(200);
    assert_eq!(seen.at("/rolledBack"), "bread was taken back");
    let events = async || {
        let all = meta.get("/v1/events?kind=tenant.package.rolledback").await.is(200);
        all.body["items"].as_array().unwrap().len()
    };
    assert_eq!(events().await, 1);
    // Mended, it is forgotten; the same again is news again.
    let mended = meta.post(PLUGINS, json!({ "name": "bread", "version": "7" })).await.is(202);
    shard.converge(&intent(&meta, &mended).await).await.is(200);
    assert_eq!(meta.get(&format!("{PLUGINS}/bread")).await.body.get("rolledBack"), None);
    let again = meta.post(PLUGINS, json!({ "name": "bread", "version": "6.6.6" })).await.is(202);
    let again = intent(&meta, &again).await;
    report.generation = again.generation;
    shard.report(&[report.clone()]).await.is(200);
    assert_eq!(events().await, 2);
    // A site that is not up in the very generation that failed is one that failed.
    let other = meta.post(PLUGINS, json!({ "name": "salt" })).await.is(202);
    let other = intent(&meta, &other).await;
    shard.converge(&other).await.is(200);
    let down = observed(&other, ObservedPhase::Failed, Some("php is gone"));
    shard.report(&[down]).await.is(200);
    assert_eq!(meta.state("bakery").await, "failed");
}

#[tokio::test]
async fn an_inventory_is_kept_completed_by_the_mirror_and_told_when_it_changed() {
    let meta = Meta::start(2).await;
    let site = meta.made("bakery").await;
    let (uid, shard) = (site.at("/tenant/uid"), site.at("/tenant/shard"));
    let path = "/v1/tenants/bakery/inventory";
    let nothing = meta.get(path).await;
    nothing.is_problem(404, "not_observed_yet");
    assert!(nothing.at("/detail").contains("inventory/refresh"), "{}", nothing.text);
    let news = async || {
        let all = meta.get("/v1/events?kind=tenant.inventory").await.is(200);
        all.body["items"].as_array().unwrap().len()
    };
    let bread = |version: &str| item("bread", version, "active");
    let mut first = inventory("2026-11-21T12:00:00Z", &[bread("1.0")]);
    first["lastVisitAt"] = json!("2026-11-21T11:59:30Z");
    tell(&meta, shard, uid, &first).await.is(200);
    let seen = meta.get(path).await.is(200);
    assert_eq!(seen.at("/lastVisitAt"), "2026-11-21T11:59:30Z");
    assert_eq!(seen.at("/site/plugins/0/update"), "unknown");
    assert_eq!(news().await, 1);
    // A later look that finds the same is no news; an older one that comes late changes nothing.
    tell(&meta, shard, uid, &inventory("2026-11-21T12:10:00Z", &[bread("1.0")])).await.is(200);
    tell(&meta, shard, uid, &inventory("2026-11-21T11:00:00Z", &[bread("0.1")])).await.is(200);
    assert_eq!(news().await, 1);
    assert_eq!(meta.get(path).await.at("/observedAt"), "2026-11-21T12:10:00Z");
    // Another shard has nothing to say of it.
    let other = ["aipress-shard-001", "aipress-shard-002"].into_iter().find(|id| *id != shard);
    let lie = inventory("2026-11-21T13:00:00Z", &[bread("6.6.6")]);
    tell(&meta, other.unwrap(), uid, &lie).await.is(200);
    assert_eq!(meta.get(path).await.at("/site/plugins/0/version"), "1.0");
    // WordPress.org can't be reached: what the mirror has is what is newer.
    mirror(&meta, &["0.9"]).await;
    assert_eq!(meta.get(path).await.at("/site/plugins/0/update"), "unknown");
    mirror(&meta, &["1.2"]).await;
    let seen = meta.get(path).await.is(200);
    assert_eq!(
        (seen.at("/site/plugins/0/update"), seen.at("/site/plugins/0/updateVersion")),
        ("available", "1.2")
    );
    assert_eq!(meta.get(PLUGINS).await.at("/items/0/updateVersion"), "1.2");
    // What WordPress itself heard stays.
    let mut heard = bread("1.0");
    heard["update"] = json!("none");
    tell(&meta, shard, uid, &inventory("2026-11-21T14:00:00Z", &[heard])).await.is(200);
    assert_eq!(meta.get(path).await.at("/site/plugins/0/update"), "none");
    let stranger = meta.member("stranger").await;
    let asked = meta.request_as(&stranger, "GET", path).body(Bytes::new()).unwrap();
    meta.call(asked).await.is_problem(404, "not_found");
}
