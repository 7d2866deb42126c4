//! An acknowledged change never ends half: killed before and after each of its steps it ends
//! whole, and the inventory has nothing unexplained.

mod changes;
mod meta;

use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;
use serde_json::json;

use crate::options;

/// A platform with one shard, so that its shard is the one that is killed.
async fn one_shard() -> Platform {
    Platform::start(PlatformOptions { shards: 1, ..options() }).await
}

/// Both sides of each step.
fn points(role: &str, steps: &[&str]) -> Vec<String> {
    let sides = |step: &&str| ["before", "after"].map(|side| format!("{role}.{step}.{side}"));
    steps.iter().flat_map(sides).collect()
}

/// The role died at the point: its file is gone.
async fn died(platform: &Platform, point: &str) {
    wait_until(Duration::from_secs(60), &format!("{point} is reached"), async || {
        if platform.is_armed(point) { Err("it was not".to_owned()) } else { Ok(()) }
    })
    .await;
}

/// The site answers with its title.
async fn is_served(platform: &Platform, name: &str) {
    wait_until(Duration::from_secs(60), &format!("{name} is served"), async || {
        let page = platform.visitor(name).get("/").await;
        let title = page.title();
        if title == format!("Title of {name}") {
            Ok(())
        } else {
            Err(format!("{} {title}", page.status))
        }
    })
    .await;
}

#[tokio::test]
async fn an_acknowledged_create_ends_whole_wherever_the_shard_is_killed() {
    let platform = one_shard().await;
    let steps = ["accept", "slot", "core", "database", "cache", "files", "serving"];
    for (index, point) in points("shard", &steps).iter().enumerate() {
        let name = format!("site-{index}");
        platform.kill_at(point);
        let uid = platform.ask_for(&name).await;
        died(&platform, point).await;
        let tenant = platform.reaches(&name, "active").await;
        assert_eq!(tenant["uid"], uid.as_str(), "{point}");
        is_served(&platform, &name).await;
        platform.has_clean_inventory().await;
    }
    let restarts = platform.unit("aipress-shard-001").await.restarts;
    assert_eq!(restarts, 14, "it was killed at each point");
}

#[tokio::test]
async fn an_acknowledged_create_ends_whole_and_once_wherever_meta_is_killed() {
    let platform = one_shard().await;
    for (index, point) in points("meta", &["change", "push", "report", "finish"]).iter().enumerate()
    {
        let name = format!("site-{index}");
        let body =
            json!({"name": name, "spec": {"wordpress": {"title": format!("Title of {name}")}}});
        let body = body.to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", name.as_str())];
        platform.kill_at(point);
        // Not acknowledged, it is sent again under its key until it is.
        let uid = wait_until(Duration::from_secs(60), &format!("{name} is accepted"), async || {
            let answer = platform.api().send("POST", "/v1/tenants", &headers, body.clone()).await;
            let answer = answer.map_err(|error| error.to_string())?;
            if answer.status == 202 {
                Ok(answer.as_json()["tenant"]["uid"].clone())
            } else {
                Err(answer.text())
            }
        })
        .await;
        died(&platform, point).await;
        let tenant = platform.reaches(&name, "active").await;
        assert_eq!(tenant["uid"], uid, "{point}: acknowledged, and then another one");
        is_served(&platform, &name).await;
        platform.has_clean_inventory().await;
        let operations = platform.api().get(&format!("/v1/operations?tenant={name}")).await;
        let operations = operations.with_status(200).as_json();
        let operations = operations["items"].as_array().unwrap();
        assert_eq!(operations.len(), 1, "{point}: {operations:?}");
        assert_eq!(operations[0]["state"], "succeeded", "{point}: {operations:?}");
    }
    assert_eq!(platform.unit("meta").await.restarts, 8, "it was killed at each point");
}

#[tokio::test]
async fn suspending_deleting_undeleting_and_erasing_end_whole_wherever_the_shard_is_killed() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let removing = ["unroute", "workers", "files", "cache", "database", "slot"];
    let building = ["slot", "core", "database", "cache", "files", "serving"];
    for point in points("shard", &["accept", "suspend"]) {
        change(&platform, &point, &["suspend", "bakery", "--yes"], "suspended").await;
        platform.visitor("bakery").get("/").await.with_status(503);
        platform.cli(&["tenant", "resume", "bakery"]).await.good();
        is_served(&platform, "bakery").await;
    }
    for (down, up) in points("shard", &removing).iter().zip(points("shard", &building)) {
        change(&platform, down, &["delete", "bakery", "--yes"], "deleted").await;
        platform.visitor("bakery").get("/").await.with_status(404);
        change(&platform, &up, &["undelete", "bakery"], "active").await;
        is_served(&platform, "bakery").await;
    }
    for (index, point) in points("shard", &removing).iter().enumerate() {
        let name = format!("gone-{index}");
        platform.create(&name).await;
        platform.cli(&["tenant", "delete", &name, "--yes"]).await.good();
        platform.kill_at(point);
        platform.cli(&["tenant", "erase", &name, "--yes"]).await.good();
        assert!(!platform.is_armed(point), "{point} was not reached");
        platform.has_clean_inventory().await;
    }
    is_served(&platform, "bakery").await;
}

/// Asks for a change, kills the shard at a point of it, and waits for its end.
async fn change(platform: &Platform, point: &str, verb: &[&str], state: &str) {
    platform.kill_at(point);
    let args = [&["tenant"], verb].concat();
    platform.cli(&args).await.good();
    assert!(!platform.is_armed(point), "{point} was not reached");
    assert_eq!(platform.tenant("bakery").await["state"], state, "{point}");
    platform.has_clean_inventory().await;
}
