//! A site's passwords change while its visitors come, its author writes and a long request is under
//! way: none of them notices, and nobody gets in with the old password afterwards.

use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aipress_testkit::Admin;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::options;

/// The site's own code: a request that waits and then signs in to the database once more, and one
/// that tries a password.
const CODE: &str = "<?php
function signs_in( $password ) {
    // WordPress has switched exceptions off.
    $tried = @new mysqli( 'localhost', DB_USER, $password, DB_NAME, 0, substr( DB_HOST, 10 ) );
    return $tried->connect_errno ? 'refused' : 'in with ' . $password;
}
if ( isset( $_GET['with'] ) ) {
    exit( signs_in( $_GET['with'] ) );
}
if ( isset( $_GET['slow'] ) ) {
    touch( WP_CONTENT_DIR . '/begun' );
    for ( $turn = 0; $turn < 10000 && ! file_exists( WP_CONTENT_DIR . '/go' ); $turn++ ) {
        usleep( 20000 );
        clearstatcache();
    }
    exit( signs_in( DB_PASSWORD ) );
}
";

/// Where the site's own files are, with its code among them.
async fn put_code(platform: &Platform) -> PathBuf {
    let uid = platform.tenant("bakery").await["uid"].as_str().unwrap().to_owned();
    let content = platform.path(format!("shards/aipress-shard-001/sites/{uid}/wp-content"));
    let owner = std::fs::metadata(&content).unwrap();
    let folder = content.join("mu-plugins");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("tries.php"), CODE).unwrap();
    for path in [folder.join("tries.php"), folder] {
        use std::os::unix::fs::MetadataExt;
        chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    content
}

/// Visits the site until stopped; every page must be there.
fn visit(platform: &Arc<Platform>, stop: &Arc<AtomicBool>) -> JoinHandle<u32> {
    let (platform, stop) = (Arc::clone(platform), Arc::clone(stop));
    tokio::spawn(async move {
        let mut pages = 0;
        while !stop.load(Ordering::Relaxed) {
            let page = platform.visitor("bakery").get("/").await.with_status(200);
            assert_eq!(page.title(), "Title of bakery");
            pages += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        pages
    })
}

/// Publishes posts until stopped; each must be taken.
fn write(mut author: Admin, stop: &Arc<AtomicBool>) -> JoinHandle<(Admin, Vec<String>)> {
    let stop = Arc::clone(stop);
    tokio::spawn(async move {
        let mut links = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            links.push(author.publish(&format!("Loaf {}", links.len())).await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        (author, links)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_change_under_load_and_the_old_ones_open_nothing_afterwards() {
    let platform = Arc::new(Platform::start(PlatformOptions { shards: 1, ..options() }).await);
    platform.create("bakery").await;
    let content = put_code(&platform).await;
    let author = platform.admin("bakery").await;
    let stop = Arc::new(AtomicBool::new(false));
    let visitors = [visit(&platform, &stop), visit(&platform, &stop)];
    let author = write(author, &stop);
    let mut waiting = platform.visitor("bakery");
    let slow = tokio::spawn(async move { waiting.get("/?slow").await.with_status(200).text() });
    let begun = content.join("begun");
    wait_until(Duration::from_secs(60), "the long request begins", async || {
        if begun.exists() { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;

    let rotating = Arc::clone(&platform);
    let rotating = tokio::spawn(async move {
        rotating.cli(&["tenant", "rotate-secrets", "bakery", "--only", "database,cache"]).await
    });
    it_waits_for_whoever_began_before(&platform).await;
    std::fs::write(content.join("go"), "").unwrap();
    let told = slow.await.unwrap();
    let former = told.strip_prefix("in with ").unwrap_or_else(|| panic!("{told}")).to_owned();
    rotating.await.unwrap().good();
    let mut visitor = platform.visitor("bakery");
    let tried = visitor.get(&format!("/?with={former}")).await.with_status(200).text();
    assert_eq!(tried, "refused", "the old password opens the database");
    let now = visitor.get("/?slow").await.with_status(200).text();
    assert!(now.starts_with("in with ") && !now.contains(&former), "{now}");

    stop.store(true, Ordering::Relaxed);
    for visitor in visitors {
        assert!(visitor.await.unwrap() > 0);
    }
    let (mut author, links) = author.await.unwrap();
    assert!(!links.is_empty());
    for link in &links {
        visitor.get(link).await.with_status(200);
    }
    // Whoever is signed in stays so, until the salts are others.
    author.publish("Still signed in").await;
    let told = platform.cli(&["tenant", "rotate-secrets", "bakery"]).await.good();
    assert!(told.err.contains("signs in again"), "{}", told.err);
    let post = json!({"title": "x", "content": "x", "status": "publish"});
    let refused = author.rest("POST", "/wp/v2/posts", &post).await;
    assert!([401, 403].contains(&refused.status.as_u16()), "{}", refused.text());
    platform.admin("bakery").await.publish("Signed in again").await;
    platform.has_clean_inventory().await;
}

/// The long request read the old password: it is not taken away before its end.
async fn it_waits_for_whoever_began_before(platform: &Platform) {
    wait_until(Duration::from_secs(60), "the old password waits for the request", async || {
        let path = "/v1/operations?tenant=bakery&limit=1";
        let operation = platform.api().get(path).await.with_status(200).as_json();
        let operation = operation["items"][0].to_string();
        let waits = operation.contains("tenant.rotate_secrets") && operation.contains("old passw");
        if waits { Ok(()) } else { Err(operation) }
    })
    .await;
}
