//! Meta killed in every change of a site: what was acknowledged is done, once.

use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::wait_until;
use serde_json::Value;
use serde_json::json;

use super::died;
use super::is_served;
use super::one_shard;

/// Where meta is killed in one run of a change: before all that it does (it takes the change, sends it
/// to the shard, is told of it, ends it), and then after all of it.
async fn deaths(platform: &Platform) -> [Vec<String>; 2] {
    let undisturbed = async { drop(platform.create("undisturbed").await) };
    let points = platform.points_of("meta.", undisturbed).await;
    let (before, after): (Vec<_>, Vec<_>) =
        points.into_iter().partition(|point| point.ends_with(".before"));
    assert!(before.len() >= 4 && after.len() >= 4, "{before:?} {after:?}");
    [before, after]
}

/// Sends a change until it is acknowledged, each time under its key, and gives its operation.
async fn acknowledged(
    platform: &Platform,
    method: &str,
    path: &str,
    key: &str,
    body: &Value,
) -> String {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    wait_until(Duration::from_secs(60), &format!("{key} is accepted"), async || {
        let answer = platform.api().send(method, path, &headers, body.to_string()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status.as_u16() {
            202 => Ok(answer.as_json()["operation"]["id"].as_str().unwrap().to_owned()),
            _ => Err(answer.text()),
        }
    })
    .await
}

/// The operation ends well.
async fn succeeds(platform: &Platform, id: &str, context: &str) {
    wait_until(Duration::from_secs(60), &format!("{context} ends"), async || {
        let path = format!("/v1/operations/{id}");
        let answer = platform.api().send("GET", &path, &[], "").await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status == 200 && answer.as_json()["state"] == "succeeded" {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;
}

#[tokio::test]
async fn every_change_is_done_once_wherever_meta_is_killed() {
    let platform = one_shard().await;
    let all = deaths(&platform).await;
    let before = platform.unit("meta").await.restarts;
    for (round, deaths) in all.iter().enumerate() {
        let name = format!("site-{round}");
        platform.create(&name).await;
        let at = format!("/v1/tenants/{name}");
        let verb = |verb: &str| format!("{at}/{verb}");
        let none = json!({});
        let gold = json!({ "spec": { "tier": "gold" } });
        let changes = [
            ("POST", verb("suspend"), &none, "suspended"),
            ("POST", verb("resume"), &none, "active"),
            ("PATCH", at.clone(), &gold, "active"),
            ("POST", verb("rotate-secrets"), &none, "active"),
            ("DELETE", at.clone(), &none, "deleted"),
            ("POST", verb("undelete"), &none, "active"),
            ("DELETE", at.clone(), &none, "deleted"),
            ("POST", verb("erase"), &none, "erased"),
        ];
        for (number, (method, path, body, state)) in changes.iter().enumerate() {
            let context = format!("{method} {path} {deaths:?}");
            // The second deletion only makes way for the erasure.
            let deaths = if number == 6 { &[] } else { deaths.as_slice() };
            deaths.iter().for_each(|point| platform.kill_at(point));
            let key = format!("{name}-{number}");
            let operation = acknowledged(&platform, method, path, &key, body).await;
            succeeds(&platform, &operation, &context).await;
            died(&platform, deaths).await;
            // Sent again it is the same one, and not a second.
            let again = acknowledged(&platform, method, path, &key, body).await;
            assert_eq!(again, operation, "{context}");
            if *state == "erased" {
                assert_eq!(platform.tenant(&name).await, Value::Null, "{context}");
            } else {
                platform.reaches(&name, state).await;
            }
            if *state == "active" {
                is_served(&platform, &name).await;
            }
            platform.has_clean_inventory().await;
        }
    }
    let killed = (all.concat().len() * 7) as u64;
    assert_eq!(platform.unit("meta").await.restarts - before, killed, "killed at each point");
}

#[tokio::test]
async fn an_import_is_made_once_wherever_meta_is_killed() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let archive = platform.home().join("bakery.aip");
    let file = archive.to_str().unwrap();
    platform.cli(&["tenant", "export", "bakery", "--file", file]).await.good();
    let archive = std::fs::read(&archive).unwrap();
    for (round, deaths) in deaths(&platform).await.iter().enumerate() {
        let name = format!("copy-{round}");
        let import = uploaded(&platform, &name, &archive).await;
        deaths.iter().for_each(|point| platform.kill_at(point));
        let path = format!("/v1/imports/{import}/complete");
        let operation = acknowledged(&platform, "POST", &path, &name, &json!({})).await;
        succeeds(&platform, &operation, &name).await;
        died(&platform, deaths).await;
        platform.reaches(&name, "active").await;
        let page = platform.visitor(&name).get("/").await.with_status(200);
        assert_eq!(page.title(), "Title of bakery", "{deaths:?}");
        platform.has_clean_inventory().await;
    }
}

/// An import of the archive, all of it with the platform.
async fn uploaded(platform: &Platform, name: &str, archive: &[u8]) -> String {
    let body = json!({ "name": name });
    let answer = platform.api().json("POST", "/v1/imports", &body).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    let import = answer.as_json()["id"].as_str().unwrap().to_owned();
    let headers = [("content-type", "application/octet-stream"), ("upload-offset", "0")];
    let path = format!("/v1/imports/{import}/data");
    let answer = platform.api().send("PATCH", &path, &headers, archive.to_vec()).await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.text());
    import
}
