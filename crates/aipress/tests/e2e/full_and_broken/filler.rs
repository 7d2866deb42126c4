//! A site that fills the disk, its files and its database at once: it is stopped before the database
//! server meets the end of the disk, and so is what changes of rows take.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use aipress_testkit::Platform;
use aipress_testkit::wait_until;

use super::PATIENCE;
use super::shard_of;

/// What stays free for the filler, over what the platform keeps for itself (a tenth of the disk).
const LEFT_MIB: u64 = 60;
/// Most requests of 4 MiB each.
const REQUESTS: usize = 400;

/// Rows and files of the site, 4 MiB at a time and not as fast as it can: the shard looks once a second.
const FILLER: &str = r#"<?php
if ( ! isset( $_GET['fill'] ) ) {
    return;
}
global $wpdb;
$wpdb->hide_errors();
$wpdb->query( 'CREATE TABLE IF NOT EXISTS fill (id INT AUTO_INCREMENT PRIMARY KEY, body LONGBLOB)' );
usleep( 200000 );
$said = 'done';
if ( 'files' === $_GET['fill'] ) {
    $file = WP_CONTENT_DIR . '/uploads/fill-' . mt_rand();
    if ( 4194304 !== @file_put_contents( $file, str_repeat( 'x', 4194304 ) ) ) {
        $said = 'refused: ' . error_get_last()['message'];
        unlink( $file );
    }
} else {
    $sql = 'rows' === $_GET['fill']
        ? "INSERT INTO fill (body) VALUES (REPEAT('x', 1048576))"
        : "UPDATE fill SET body = REPEAT(CHAR(65 + FLOOR(RAND() * 26)), 1048576) WHERE id = 1";
    for ( $i = 0; $i < 4; $i++ ) {
        if ( false === $wpdb->query( $sql ) ) {
            $said = 'refused: ' . $wpdb->last_error;
            break;
        }
    }
}
die( $said );
"#;

/// The site fills the disk in each way, until it is refused.
pub(super) async fn a_site_fills_the_disk(platform: &Platform) {
    let shard = shard_of(platform, "bakery").await;
    let database = format!("{shard}-mariadb");
    let before = platform.pid(&database).await;
    let plugin = put_filler(platform, &shard).await;
    let reserve_mib = super::DISK_MIB / 10;
    platform.fill_disk((reserve_mib + LEFT_MIB) << 10);
    let refused = until_refused(platform, "rows").await;
    assert!(refused.contains("command denied"), "{refused}");
    let refused = until_refused(platform, "files").await;
    assert!(refused.contains("File too large"), "{refused}");
    // Changes of rows take room, too: they end, or what they take is given back for as long as they
    // go on.
    for _ in 0..REQUESTS / 10 {
        if ask(platform, "changes").await.is_ok_and(|said| said.starts_with("refused")) {
            break;
        }
    }
    let free = free_mib(&platform.data());
    println!("{free} MiB are left after it");
    assert!(free > 16, "{free} MiB are left");
    assert_eq!(platform.pid(&database).await, before, "the same server");
    let log = fs::read_to_string(platform.path(format!("logs/{database}.log"))).unwrap();
    for full in ["No space left", "Errcode: 28", "Disk is full", "error number 28"] {
        assert!(!log.contains(full), "the server met the end of the disk: {full}");
    }
    let shown = platform.tenant("bakery").await;
    let told = shown["status"]["limits"].to_string() + &shown.to_string();
    assert!(told.contains("The disk of the server is nearly full"), "{shown}");
    // Read it can be, by everybody.
    platform.visitor("bakery").get("/").await.with_status(200);
    fs::remove_file(plugin).unwrap();
    platform.free_disk();
    wait_until(PATIENCE, "the site may add again", async || {
        let shown = platform.tenant("bakery").await;
        if shown.to_string().contains("nearly full") { Err(shown.to_string()) } else { Ok(()) }
    })
    .await;
}

/// A must-use plugin of the site's own.
async fn put_filler(platform: &Platform, shard: &str) -> std::path::PathBuf {
    let uid = platform.tenant("bakery").await["uid"].as_str().unwrap().to_owned();
    let content = platform.path(format!("shards/{shard}/sites/{uid}/wp-content"));
    let owner = fs::metadata(&content).unwrap();
    let folder = content.join("mu-plugins");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("fill.php");
    fs::write(&file, FILLER).unwrap();
    for path in [&folder, &file] {
        std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    file
}

async fn until_refused(platform: &Platform, what: &str) -> String {
    let mut last = String::new();
    for _ in 0..REQUESTS {
        match ask(platform, what).await {
            Ok(said) if said.starts_with("refused") => return said,
            // A session that ends because its rights changed is no answer yet.
            Ok(said) | Err(said) => last = said,
        }
    }
    panic!("{what}: never refused, lastly {last}; {} MiB are left", free_mib(&platform.data()));
}

async fn ask(platform: &Platform, what: &str) -> Result<String, String> {
    let path = format!("/?fill={what}");
    let answer = platform.visitor("bakery").send("GET", &path, &[], "").await;
    let answer = answer.map_err(|error| error.to_string())?;
    let text = answer.text();
    if answer.status == 200 && (text.starts_with("done") || text.starts_with("refused")) {
        Ok(text)
    } else {
        Err(format!("{} {}", answer.status, text.chars().take(300).collect::<String>()))
    }
}

fn free_mib(data: &Path) -> u64 {
    let left = rustix::fs::statvfs(data).unwrap();
    (left.f_bavail * left.f_frsize) >> 20
}
