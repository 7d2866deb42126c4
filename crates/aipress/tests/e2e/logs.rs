//! A site's log: what a visitor met is found by the id that the visitor was shown; it is followed;
//! and a site that writes without end loses its own lines only.

mod following;

use std::os::unix::fs::chown;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;
use serde_json::Value;

use crate::options;

/// A must-use plugin that does what a visitor asks for.
const NOISE: &str = r#"<?php
add_action('init', function () {
    switch ($_GET['noise'] ?? '') {
    case 'notice':
        error_reporting(E_ALL);
        trigger_error("a notice\nof two lines");
        break;
    case 'slow':
        sleep(3);
        break;
    case 'fatal':
        nobody_has_this_function();
    case 'dies':
        posix_kill(getmypid(), 9);
    case 'mail':
        wp_mail('ann@example.org', 'A subject', 'A text');
        break;
    case 'bare-mail':
        mail('bert@example.org', 'A subject', 'A text');
        break;
    case 'after':
        echo 'the page';
        fastcgi_finish_request();
        nobody_has_this_function_either();
    case 'cron':
        wp_schedule_single_event(time() - 1, 'noisy_event');
        break;
    case 'flood':
        $text = str_repeat('flood ', 100);
        for ($line = 0; $line < 170000; $line++) {
            error_log("$line $text");
        }
        exit('flooded');
    }
});
add_action('noisy_event', function () {
    error_log('said in cron');
});
"#;
/// A line is on disk, and to be read, within this.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_a_visitor_met_is_found_by_the_id_that_was_shown() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    platform.create("bakery").await;
    platform.create("florist").await;
    make_noisy(&platform, "bakery").await;

    the_lines_of_each_request_are_there(&platform).await;
    what_cron_says_is_there(&platform).await;
    lines_are_chosen_by_time(&platform).await;
    what_the_edge_says_is_there_too(&platform).await;
    it_is_followed(&platform).await;
    following::by_the_command_line(&platform).await;
    a_flood_costs_nobody_else_a_line(&platform).await;
    it_outlives_deletion_and_ends_with_erasure(&platform).await;
    platform.has_clean_inventory().await;
}

async fn make_noisy(platform: &Platform, name: &str) {
    let site = site_dir(platform, name).await;
    let user = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&site).unwrap());
    let file = site.join("wp-content/mu-plugins/noise.php");
    std::fs::write(&file, NOISE).unwrap();
    if platform.user().is_none() {
        chown(&file, Some(user), Some(user)).unwrap();
    }
}

async fn site_dir(platform: &Platform, name: &str) -> std::path::PathBuf {
    let uid = platform.tenant(name).await["uid"].as_str().unwrap().to_owned();
    platform.path("shards/aipress-shard-001/sites").join(uid)
}

/// Lines by the command line, once there is one that `is_wanted`.
async fn lines(
    platform: &Platform,
    args: &[&str],
    mut is_wanted: impl FnMut(&Value) -> bool,
) -> Vec<Value> {
    wait_until(SOON, "a line of the log", async || {
        let args = [&["tenant", "logs", "-o", "json"], args].concat();
        let told = platform.cli(&args).await.good();
        let lines: Vec<Value> =
            told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if lines.iter().any(&mut is_wanted) { Ok(lines) } else { Err(told.out) }
    })
    .await
}

fn is(line: &Value, source: &str, severity: &str) -> bool {
    line["source"] == source && line["severity"] == severity
}

async fn the_lines_of_each_request_are_there(platform: &Platform) {
    let mut visitor = platform.visitor("bakery");
    for (path, status, source, severity, text) in [
        ("/?noise=notice&token=s3cret", 200, "php", "NOTICE", "a notice\nof two lines"),
        ("/no-such-page/", 404, "access", "WARNING", "GET /no-such-page/ 404"),
        ("/?noise=slow", 200, "slow", "WARNING", "GET /?noise=slow took 3."),
        ("/?noise=fatal", 500, "php", "ERROR", "Call to undefined function nobody_has_this"),
        ("/?noise=dies", 502, "php", "ERROR", "the worker ended in the middle"),
        ("/?noise=mail", 200, "mail", "INFO", " to ann@example.org was taken"),
        ("/?noise=bare-mail", 200, "mail", "INFO", " to bert@example.org was taken"),
        ("/?noise=after", 200, "php", "ERROR", "Call to undefined function nobody_has_this"),
    ] {
        let answer = visitor.get(path).await.with_status(status);
        let id = answer.header("x-request-id").to_owned();
        if status == 502 {
            assert!(answer.text().contains(&id), "the page shows the id: {}", answer.text());
        }
        let (mut accessed, mut told) = (false, false);
        let found = lines(platform, &["bakery", "--contains", &id], |line| {
            accessed |= line["source"] == "access";
            told |= is(line, source, severity);
            accessed && told
        })
        .await;
        assert!(found.iter().all(|line| line["request_id"] == *id), "{found:?}");
        let line = found.iter().find(|line| is(line, source, severity));
        let line = line.unwrap_or_else(|| panic!("{path}: {found:?}"));
        assert!(line["message"].as_str().unwrap().contains(text), "{line}");
        let access = found.iter().find(|line| line["source"] == "access").unwrap();
        assert_eq!(access["status"], status);
        assert_eq!(access["client"], "127.0.0.1");
        let all = format!("{found:?}");
        assert!(!all.contains("s3cret") && !all.contains("A subject"), "{all}");
        assert!(!all.contains(&platform.data().display().to_string()), "{all}");
    }
    let fatal = lines(platform, &["bakery", "--level", "error", "--source", "php"], |_| true).await;
    assert!(fatal.iter().all(|line| is(line, "php", "ERROR")), "{fatal:?}");
    assert!(fatal.iter().any(|line| line["file"] == "wp-content/mu-plugins/noise.php"));
    let other = platform.cli(&["tenant", "logs", "florist", "--source", "php"]).await.good();
    assert!(other.out.is_empty(), "{}", other.out);
}

/// WordPress's cron ends its answer before it begins, and its caller leaves at once.
async fn what_cron_says_is_there(platform: &Platform) {
    let mut visitor = platform.visitor("bakery");
    visitor.get("/?noise=cron").await.with_status(200);
    visitor.get("/wp-cron.php?doing_wp_cron").await.with_status(200);
    let said = ["bakery", "--contains", "said in cron"];
    lines(platform, &said, |line| is(line, "php", "NOTICE")).await;
    let told = ["bakery", "--source", "cron", "--contains", "noisy_event"];
    lines(platform, &told, |line| is(line, "cron", "INFO")).await;
}

/// `--since` and `--until` by the line's own time, and an age.
async fn lines_are_chosen_by_time(platform: &Platform) {
    let all = ["bakery", "--contains", "/no-such-page/"];
    let line = lines(platform, &all, |_| true).await.remove(0);
    let at = line["time"].as_str().unwrap();
    let count = async |more: &[&str]| {
        let args = [&["tenant", "logs", "-o", "json"], &all[..], more].concat();
        platform.cli(&args).await.good().out.lines().count()
    };
    assert!(count(&["--since", at]).await >= 1, "not before");
    assert_eq!(count(&["--until", at]).await, 0, "before");
    assert!(count(&["--since", "1h", "--level", "warning"]).await >= 1);
    assert_eq!(count(&["--since", "1h", "--level", "error"]).await, 0);
    let wrong = platform.cli(&["tenant", "logs", "bakery", "--since", "soon"]).await;
    assert!(wrong.err.contains("since"), "{}", wrong.err);
}

async fn what_the_edge_says_is_there_too(platform: &Platform) {
    platform.cli(&["tenant", "suspend", "florist", "--yes"]).await.good();
    let refused = platform.visitor("florist").get("/menu?key=s3cret").await.with_status(503);
    let id = refused.header("x-request-id");
    let found = lines(platform, &["florist", "--contains", id], |_| true).await;
    assert_eq!(found[0]["service"], "edge", "{found:?}");
    assert_eq!(
        (&found[0]["status"], &found[0]["path"]),
        (&503.into(), &"/menu?key=[redacted]".into())
    );
    let told = lines(platform, &["florist", "--source", "platform"], |line| {
        line["message"] == "the site is suspended"
    });
    told.await;
    platform.cli(&["tenant", "resume", "florist"]).await.good();
}

async fn it_is_followed(platform: &Platform) {
    let mut api = platform.api();
    let newest = api.get("/v1/tenants/bakery/logs?limit=1").await.with_status(200).as_json();
    let last = newest["items"][0]["id"].as_str().unwrap().to_owned();
    let answer = platform.visitor("bakery").get("/no-such-page-2/").await.with_status(404);
    let id = answer.header("x-request-id").to_owned();
    // Asked for as a stream is, and broken off by a time-out as nothing ends it.
    let url =
        format!("http://{}/v1/tenants/bakery/logs?follow=true&contains={id}", platform.address());
    let token = std::fs::read_to_string(platform.path("meta/admin-token")).unwrap();
    let output = tokio::process::Command::new("curl")
        .args(["-sN", "--max-time", "5", &url])
        .args(["-H", &format!("Host: {}", api.host())])
        .args(["-H", &format!("Authorization: Bearer {}", token.trim())])
        .args(["-H", &format!("Last-Event-ID: {last}")])
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("event: line\n") && text.contains(&id), "{text}");
}

/// Some 100 MB in a few seconds: the neighbour's lines are all there, and the newest of the flood.
async fn a_flood_costs_nobody_else_a_line(platform: &Platform) {
    let mut flooder = platform.visitor("bakery");
    let flood = async {
        flooder.get("/?noise=flood").await.with_status(200);
    };
    let neighbour = async {
        let mut visitor = platform.visitor("florist");
        for number in 0..50 {
            visitor.get(&format!("/trickle-{number}.txt")).await.with_status(404);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(flood, neighbour);
    let found =
        lines(platform, &["florist", "--contains", "/trickle-", "--source", "access"], |line| {
            line["path"] == "/trickle-49.txt"
        })
        .await;
    assert_eq!(found.len(), 50, "the neighbour lost a line");
    lines(platform, &["bakery", "--source", "php", "--limit", "5"], |line| {
        line["message"].as_str().unwrap().starts_with("169999 ")
    })
    .await;
    let uid = platform.tenant("bakery").await["uid"].as_str().unwrap().to_owned();
    let log = platform.path("shards/aipress-shard-001/logs").join(uid).join("php");
    let files = std::fs::read_dir(log).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 64 * 1024 * 1024, "{bytes} bytes of a log on disk");
}

async fn it_outlives_deletion_and_ends_with_erasure(platform: &Platform) {
    let uid = platform.tenant("bakery").await["uid"].as_str().unwrap().to_owned();
    let log = platform.path("shards/aipress-shard-001/logs").join(&uid);
    platform.cli(&["tenant", "delete", "bakery", "--yes"]).await.good();
    lines(platform, &["bakery", "--source", "platform"], |line| {
        line["message"] == "the site is deleted"
    })
    .await;
    platform.cli(&["tenant", "erase", "bakery", "--yes"]).await.good();
    assert!(!log.exists(), "{} is still there", log.display());
}
