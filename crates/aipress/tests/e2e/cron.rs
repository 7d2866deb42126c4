//! Scheduled events: a post appears at its time without a visitor, beside a site whose events never
//! end, and afterwards no PHP is left.

use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;
use serde_json::Value;

use crate::options;

/// An event that never ends, and costs no CPU.
const HANGS: &str = r#"<?php
add_action('hanging_event', function () {
    while (true) {
        sleep(1);
    }
});
add_action('init', function () {
    if (isset($_GET['hang'])) {
        wp_schedule_single_event(time() - 1, 'hanging_event');
    }
});
"#;
/// Schedules a post. WordPress itself publishes at once what is less than a minute ahead.
const LATER: &str = r#"<?php
add_action('init', function () {
    if (!isset($_GET['later'])) {
        return;
    }
    add_filter('wp_insert_post_data', fn($data) => array_merge($data, ['post_status' => 'future']));
    $date = gmdate('Y-m-d H:i:s', time() + 10);
    exit((string) wp_insert_post([
        'post_title' => 'Bread of tomorrow',
        'post_content' => 'x',
        'post_status' => 'future',
        'post_date' => $date,
        'post_date_gmt' => $date,
    ]));
});
"#;
/// Generous: the machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_scheduled_post_appears_beside_a_site_that_hangs() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    platform.create("bakery").await;
    platform.create("florist").await;
    for (name, code) in [("florist", HANGS), ("bakery", LATER)] {
        let file = site_dir(&platform, name).await.join("wp-content/mu-plugins/test.php");
        std::fs::write(&file, code).unwrap();
        own_as_parent(&file);
    }
    // Nobody has visited it: its database says when WordPress's own events are due.
    wait_until(SOON, "the database is read", async || {
        let cron = cron(&platform, "bakery").await;
        let due = cron["nextDueAt"].as_str().unwrap_or("2096");
        if due < "2090" { Ok(()) } else { Err(cron.to_string()) }
    })
    .await;

    platform.visitor("florist").get("/?hang").await.with_status(200);
    wait_until(SOON, "the event that hangs is run", async || {
        let cron = cron(&platform, "florist").await;
        if cron["isRunning"] == true { Ok(()) } else { Err(cron.to_string()) }
    })
    .await;

    let post = platform.visitor("bakery").get("/?later").await.with_status(200).text();
    let before = platform.visitor("bakery").get(&format!("/?p={post}")).await;
    assert_ne!(before.status, 200, "it is not to be seen before its time");
    wait_until(SOON, "the post is published", async || {
        let args = ["tenant", "wp", "bakery", "--", "post", "get", &post, "--field=post_status"];
        let told = platform.cli(&args).await.good().out;
        if told.trim() == "publish" { Ok(()) } else { Err(told) }
    })
    .await;
    platform.visitor("bakery").get(&format!("/?p={post}")).await;

    let cron_of_bakery = wait_until(SOON, "the run is counted", async || {
        let cron = cron(&platform, "bakery").await;
        let is_over = cron["isRunning"] == false && cron["lastRun"].is_object();
        if is_over { Ok(cron) } else { Err(cron.to_string()) }
    })
    .await;
    assert!(cron_of_bakery["wakes"][0]["count"].as_u64() >= Some(1), "{cron_of_bakery}");
    assert_eq!(cron_of_bakery["failures"], 0, "{cron_of_bakery}");
    assert_eq!(cron(&platform, "florist").await["isRunning"], true, "it still hangs");
    wait_until(SOON, "the log tells of the event", async || {
        let args = ["tenant", "logs", "bakery", "--source", "cron"];
        let told = platform.cli(&args).await.good().out;
        if told.contains("publish_future_post") { Ok(()) } else { Err(told) }
    })
    .await;

    // Whose events hang is ended with its site; who has nothing to do has no PHP.
    platform.cli(&["tenant", "suspend", "florist", "--yes"]).await.good();
    wait_until(SOON, "no PHP is left", async || {
        let processes = platform.processes();
        let left: Vec<_> =
            processes.into_iter().filter(|it| it.command.contains("php-fpm: pool")).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    let shown = platform.cli(&["tenant", "cron", "bakery"]).await.good().out;
    assert!(shown.contains("Next ") && shown.contains("Woken "), "{shown}");
    platform.has_clean_inventory().await;
}

async fn cron(platform: &Platform, name: &str) -> Value {
    platform.cli(&["tenant", "cron", name, "-o", "json"]).await.good().json()
}

async fn site_dir(platform: &Platform, name: &str) -> std::path::PathBuf {
    let uid = platform.tenant(name).await["uid"].as_str().unwrap().to_owned();
    platform.path("shards/aipress-shard-001/sites").join(uid)
}

fn own_as_parent(file: &std::path::Path) {
    let parent = std::fs::metadata(file.parent().unwrap()).unwrap();
    let uid = std::os::unix::fs::MetadataExt::uid(&parent);
    std::os::unix::fs::chown(file, Some(uid), Some(uid)).unwrap();
}
