//! Every change of a site that is there: its points are asked of a change that nobody disturbs, so
//! that one that is new is killed like the others.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aipress_packages::build::ZipBuilder;
use aipress_testkit::Platform;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::is_served;
use super::one_shard;
use super::runs;

/// A change and the one that takes it back.
type Pair = [Vec<String>; 2];

fn pair(forth: &[&str], back: &[&str]) -> Pair {
    [forth, back].map(|words| words.iter().map(|word| (*word).to_owned()).collect())
}

/// The newest operation of the site.
async fn newest(platform: &Platform) -> Value {
    let path = "/v1/operations?tenant=bakery&limit=1";
    platform.api().get(path).await.with_status(200).as_json()["items"][0].clone()
}

/// What kind of change was made last, and that it ended well.
async fn kind(platform: &Platform) -> String {
    let operation = newest(platform).await;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    operation["kind"].as_str().unwrap().to_owned()
}

/// A page of the site at any time is whole: nobody needs a shard's control plane for one.
fn visit(platform: &Arc<Platform>, stop: &Arc<AtomicBool>) -> JoinHandle<u32> {
    let (platform, stop) = (Arc::clone(platform), Arc::clone(stop));
    tokio::spawn(async move {
        let mut pages = 0;
        while !stop.load(Ordering::Relaxed) {
            let page = platform.visitor("bakery").get("/").await.with_status(200);
            assert_eq!(page.title(), "Title of bakery");
            pages += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        pages
    })
}

/// Each change forth and back, killed at each of its points; a point of one kind of change is met once,
/// in the first change that has it.
async fn killed_everywhere(platform: &Arc<Platform>, pairs: &[Pair]) {
    let stop = Arc::new(AtomicBool::new(false));
    let visitor = visit(platform, &stop);
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let before = platform.unit("aipress-shard-001").await.restarts;
    let mut killed = 0;
    // All of them undisturbed first: a shard that was killed looks at the site anew.
    let mut all = Vec::new();
    for pair in pairs {
        let mut wanted = [Vec::new(), Vec::new()];
        for (change, wanted) in pair.iter().zip(&mut wanted) {
            let mut points = platform.points_of("shard.", run(platform, change)).await;
            let shown = shown.entry(kind(platform).await).or_default();
            points.retain(|point| shown.insert(point.clone()));
            *wanted = runs(&points);
        }
        all.push(wanted);
    }
    for (pair, [forth, back]) in pairs.iter().zip(&all) {
        for turn in 0..forth.len().max(back.len()) {
            for (change, runs) in pair.iter().zip([forth, back]) {
                let points = runs.get(turn).map_or(&[][..], Vec::as_slice);
                points.iter().for_each(|point| platform.kill_at(point));
                killed += points.len() as u64;
                run(platform, change).await;
                let armed: Vec<_> =
                    points.iter().filter(|point| platform.is_armed(point)).collect();
                assert!(armed.is_empty(), "{armed:?} were not reached by {change:?}");
                kind(platform).await;
                is_served(platform, "bakery").await;
                platform.has_clean_inventory().await;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    println!("{killed} kills, {} pages", visitor.await.unwrap());
    let restarts = platform.unit("aipress-shard-001").await.restarts;
    assert_eq!(restarts - before, killed, "it was killed at each point: {shown:?}");
}

async fn run(platform: &Platform, change: &[String]) {
    let words: Vec<&str> = change.iter().map(String::as_str).collect();
    platform.cli(&words).await.good();
}

fn plugin(folder: &Path) -> PathBuf {
    let file = folder.join("front.zip");
    std::fs::write(&file, ZipBuilder::plugin("front", "1.0", "").bytes()).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_end_whole_wherever_the_shard_is_killed_and_no_visitor_notices() {
    let platform = Arc::new(one_shard().await);
    platform.create("bakery").await;
    let dir = tempfile::tempdir().unwrap();
    let zip = plugin(dir.path());
    platform.cli(&["package", "add", zip.to_str().unwrap()]).await.good();
    let update = ["tenant", "update", "bakery", "--tier"];
    let plugin = |verb| ["tenant", "plugin", verb, "bakery", "front"];
    killed_everywhere(
        &platform,
        &[
            pair(&[&update[..], &["gold"]].concat(), &[&update[..], &["bronze"]].concat()),
            pair(&plugin("install"), &plugin("remove")),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_secrets_are_whole_wherever_the_shard_is_killed_and_no_visitor_notices() {
    let platform = Arc::new(one_shard().await);
    platform.create("bakery").await;
    let rotate = ["tenant", "rotate-secrets", "bakery"];
    killed_everywhere(&platform, &[pair(&rotate, &rotate)]).await;
}
