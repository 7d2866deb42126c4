//! How many PHP workers a site has: never more at work than it may, those that are kept warm stay
//! when it is quiet, and the others go.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use aipress_kit::tasks;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::Process;
use aipress_testkit::wait_until;

use crate::documents::own_like;
use crate::options;

/// A must-use plugin that holds a worker until it may go on, and notes how many are held.
const HOLDER: &str = "<?php if (isset($_GET['hold'])) { $of = WP_CONTENT_DIR . '/held'; \
    touch(\"$of/\" . getmypid()); \
    file_put_contents(\"$of.txt\", count(glob(\"$of/*\")) . \"\\n\", FILE_APPEND | LOCK_EX); \
    while (!file_exists(\"$of.go\")) { usleep(20000); clearstatcache(); } \
    unlink(\"$of/\" . getmypid()); echo 'held'; exit; }";
/// Longest time for workers to come and go.
const PATIENCE: Duration = Duration::from_secs(90);
/// Visitors at once.
const BURST: usize = 12;

struct Held {
    name: &'static str,
    content: PathBuf,
}

#[tokio::test]
async fn a_site_has_as_many_workers_as_it_asks_for() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    let warm = held(&platform, "warm", "gold", "minInstances: 2, maxInstances: 3").await;
    let cold = held(&platform, "cold", "silver", "minInstances: 0, maxInstances: 2").await;
    let warm = burst(&platform, &warm, 3).await;
    let cold = burst(&platform, &cold, 2).await;

    wait_until(PATIENCE, "nobody's workers end", async || {
        let workers = workers(&platform, &cold);
        if workers.is_empty() { Ok(()) } else { Err(format!("{workers:?}")) }
    })
    .await;
    // The other one was quiet for as long. Longer than a worker may be idle: these are kept.
    for _ in 0..3 {
        wait_until(PATIENCE, "two workers are kept warm", async || {
            let workers = workers(&platform, &warm);
            if workers.len() == 2 { Ok(()) } else { Err(format!("{workers:?}")) }
        })
        .await;
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    assert!(workers(&platform, &cold).is_empty(), "nobody asked for it");
    platform.has_clean_inventory().await;
}

/// A site by a document, with what holds its workers.
async fn held(platform: &Platform, name: &'static str, tier: &str, runtime: &str) -> Held {
    let document = format!(
        "apiVersion: aipress.io/v1\nkind: Tenant\nmetadata: {{name: {name}}}\n\
         spec: {{tier: {tier}, runtime: {{{runtime}}}}}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.yaml");
    fs::write(&file, document).unwrap();
    platform.cli(&["apply", "-f", file.to_str().unwrap()]).await.good();
    let tenant = platform.tenant(name).await;
    let sites = Path::new("shards").join(tenant["shard"].as_str().unwrap()).join("sites");
    let content = platform.path(sites.join(tenant["uid"].as_str().unwrap())).join("wp-content");
    fs::create_dir_all(content.join("mu-plugins")).unwrap();
    fs::write(content.join("mu-plugins/hold.php"), HOLDER).unwrap();
    for path in ["mu-plugins", "mu-plugins/hold.php", "held"] {
        let path = content.join(path);
        if !path.exists() {
            fs::create_dir(&path).unwrap();
        }
        own_like(&path, &content);
    }
    wait_until(PATIENCE, "PHP sees what was written", async || {
        fs::write(content.join("held.go"), "").unwrap();
        let answer = platform.visitor(name).get("/?hold=1").await;
        if answer.text() == "held" { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await;
    fs::remove_file(content.join("held.go")).unwrap();
    fs::remove_file(content.join("held.txt")).unwrap();
    Held { name, content }
}

/// Many visitors at once: as many as it may are in PHP, each in a worker of its own, never more.
/// The title of its workers.
async fn burst(platform: &Platform, site: &Held, most: usize) -> String {
    let visits = (0..BURST).map(|_| {
        let mut visitor = platform.visitor(site.name);
        let visit = async move { visitor.get("/?hold=1").await.status.as_u16() };
        tasks::spawn("visitor", visit)
    });
    let visits: Vec<_> = visits.collect();
    let all_held = async {
        wait_until(PATIENCE, "all its workers are held", async || {
            let held = fs::read_dir(site.content.join("held")).unwrap().count();
            if held >= most { Ok(()) } else { Err(format!("{held} of {most}")) }
        })
        .await;
        // Whoever came too many would be in by now.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let held: Vec<_> = fs::read_dir(site.content.join("held")).unwrap().collect();
        assert_eq!(held.len(), most);
        let pid = held[0].as_ref().unwrap().file_name().into_string().unwrap();
        let pool = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        fs::write(site.content.join("held.go"), "").unwrap();
        pool.replace('\0', " ").trim().to_owned()
    };
    let pool = all_held.await;
    let mut answers = Vec::new();
    for visit in visits {
        answers.push(visit.await.unwrap().expect("an answer"));
    }
    // Who waits too long for a turn is told so; on a slow machine some are.
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    assert!(answers.iter().filter(|status| **status == 200).count() >= most, "{answers:?}");
    let noted = fs::read_to_string(site.content.join("held.txt")).unwrap();
    let counts = noted.lines().map(|line| line.parse::<usize>().unwrap());
    assert_eq!(counts.max(), Some(most), "{noted}");
    assert!(pool.starts_with("php-fpm: pool "), "{pool}");
    pool
}

/// The workers of a pool, by the title that php-fpm gives them.
fn workers(platform: &Platform, pool: &str) -> Vec<i32> {
    let its = |process: &Process| process.command == pool;
    platform.processes().into_iter().filter(its).map(|process| process.pid).collect()
}
