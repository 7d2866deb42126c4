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

/// Points at which the role is killed in one run of a change: before a step and after it both, as a step
/// that was not done is begun again. What was accepted is not sent again.
pub(crate) fn runs(points: &[String]) -> Vec<Vec<String>> {
    let mut runs: Vec<Vec<String>> = Vec::new();
    for point in points {
        let before = point.strip_suffix(".after").filter(|step| *step != "shard.accept");
        let before = before.map(|step| format!("{step}.before"));
        match runs.iter_mut().find(|run| before.as_ref().is_some_and(|before| run[0] == *before)) {
            Some(run) => run.push(point.clone()),
            None => runs.push(vec![point.clone()]),
        }
    }
    runs
}

/// The role died at each of the points: their files are gone.
pub(crate) async fn died(platform: &Platform, points: &[String]) {
    wait_until(Duration::from_secs(60), &format!("{points:?} are reached"), async || match points
        .iter()
        .find(|point| platform.is_armed(point))
    {
        Some(point) => Err(format!("{point} was not")),
        None => Ok(()),
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
    let undisturbed = async { drop(platform.create("undisturbed").await) };
    let points = platform.points_of("shard.", undisturbed).await;
    assert!(points.len() >= 14, "{points:?}");
    for (index, run) in runs(&points).iter().enumerate() {
        let name = format!("site-{index}");
        run.iter().for_each(|point| platform.kill_at(point));
        let uid = platform.ask_for(&name).await;
        died(&platform, run).await;
        let tenant = platform.reaches(&name, "active").await;
        assert_eq!(tenant["uid"], uid.as_str(), "{run:?}");
        is_served(&platform, &name).await;
        platform.has_clean_inventory().await;
    }
    let restarts = platform.unit("aipress-shard-001").await.restarts;
    assert_eq!(restarts, points.len() as u64, "it was killed at each point: {points:?}");
}

#[tokio::test]
async fn an_acknowledged_create_ends_whole_and_once_wherever_meta_is_killed() {
    let platform = one_shard().await;
    let undisturbed = async { drop(platform.create("undisturbed").await) };
    let points = platform.points_of("meta.", undisturbed).await;
    assert!(points.len() >= 8, "{points:?}");
    for (index, point) in points.iter().enumerate() {
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
        died(&platform, std::slice::from_ref(point)).await;
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
    let restarts = platform.unit("meta").await.restarts;
    assert_eq!(restarts, points.len() as u64, "it was killed at each point: {points:?}");
}

/// A change of the bakery, and what comes of it.
struct Change {
    verb: &'static [&'static str],
    state: &'static str,
    /// Of its home page.
    status: u16,
}

impl Change {
    async fn run(&self, platform: &Platform, points: &[String]) {
        points.iter().for_each(|point| platform.kill_at(point));
        platform.cli(self.verb).await.good();
        let armed: Vec<_> = points.iter().filter(|point| platform.is_armed(point)).collect();
        assert!(armed.is_empty(), "{armed:?} were not reached by {:?}", self.verb);
        assert_eq!(platform.tenant("bakery").await["state"], self.state, "{points:?}");
        platform.has_clean_inventory().await;
        if self.status == 200 {
            is_served(platform, "bakery").await;
        } else {
            platform.visitor("bakery").get("/").await.with_status(self.status);
        }
    }
}

#[tokio::test]
async fn suspending_deleting_undeleting_and_erasing_end_whole_wherever_the_shard_is_killed() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let change = |verb, state, status| Change { verb, state, status };
    let pairs = [
        [
            change(&["tenant", "suspend", "bakery", "--yes"], "suspended", 503),
            change(&["tenant", "resume", "bakery"], "active", 200),
        ],
        [
            change(&["tenant", "delete", "bakery", "--yes"], "deleted", 404),
            change(&["tenant", "undelete", "bakery"], "active", 200),
        ],
    ];
    let deleted = async |name: &str| {
        platform.create(name).await;
        platform.cli(&["tenant", "delete", name, "--yes"]).await.good();
    };
    let erase = async |name: &str| {
        platform.cli(&["tenant", "erase", name, "--yes"]).await.good();
    };
    // All of it undisturbed first: a shard that was killed looks at other sites, too.
    let mut points = Vec::new();
    for change in pairs.as_flattened() {
        points.push(platform.points_of("shard.", change.run(&platform, &[])).await);
    }
    deleted("gone").await;
    let mut erasure = platform.points_of("shard.", erase("gone")).await;
    // The shard may look at the bakery meanwhile: what making a site has and removing one has not is
    // no step of this.
    erasure.retain(|point| points[2].contains(point) || !points[1].contains(point));
    points.push(erasure);
    let [suspend, resume, delete, undelete, erasure] = &points[..] else { unreachable!() };
    for (pair, [forth, back]) in pairs.iter().zip([[suspend, resume], [delete, undelete]]) {
        let all = [runs(forth), runs(back)];
        for turn in 0..all[0].len().max(all[1].len()) {
            for (change, runs) in pair.iter().zip(&all) {
                let run = runs.get(turn).map_or(&[][..], Vec::as_slice);
                change.run(&platform, run).await;
            }
        }
    }
    for (index, run) in runs(erasure).iter().enumerate() {
        let name = format!("gone-{index}");
        deleted(&name).await;
        run.iter().for_each(|point| platform.kill_at(point));
        erase(&name).await;
        died(&platform, run).await;
        platform.has_clean_inventory().await;
    }
    let killed = points.concat().len() as u64;
    is_served(&platform, "bakery").await;
    let restarts = platform.unit("aipress-shard-001").await.restarts;
    assert_eq!(restarts, killed, "it was killed at each point");
}
