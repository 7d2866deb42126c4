//! A site moves from one WordPress to the next with all that is in it, and back when it does not
//! work there; killed at any point, it ends whole on the one or the other.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::Told;

use crate::killed::died;
use crate::killed::runs;
use crate::options;

async fn one_shard() -> Platform {
    Platform::start(PlatformOptions { shards: 1, ..options() }).await
}

async fn wp(platform: &Platform, name: &str, command: &[&str]) -> Told {
    platform.cli(&[&["tenant", "wp", name, "--"], command].concat()).await
}

async fn says(platform: &Platform, name: &str, command: &[&str]) -> String {
    wp(platform, name, command).await.good().out.trim().to_owned()
}

/// A site of the oldest core with a post, in which something is not of its template.
async fn old_site(platform: &Platform, name: &str) {
    platform.cli(&["tenant", "create", name, "--wordpress", "6.1"]).await.good();
    assert!(says(platform, name, &["core", "version"]).await.starts_with("6.1."));
    let args = ["post", "create", "--post_title=Rye bread", "--post_status=publish"];
    says(platform, name, &args).await;
    says(platform, name, &["option", "add", "crumbs", "{\"a\":[1]}", "--format=json"]).await;
}

async fn move_to(platform: &Platform, name: &str, version: &str) -> Told {
    let set = format!("wordpress.version={version}");
    platform.cli(&["tenant", "update", name, "--set", &set]).await
}

/// The site runs a core of this branch, with what was made in it, and its pages are there.
async fn is_whole_on(platform: &Platform, name: &str, branch: &str) {
    let version = says(platform, name, &["core", "version"]).await;
    assert!(version.starts_with(branch), "{version} is not of {branch}");
    let upgrade = says(platform, name, &["core", "update-db", "--dry-run"]).await;
    assert!(upgrade.contains("already at latest"), "{upgrade}");
    let titles = says(platform, name, &["post", "list", "--field=post_title"]).await;
    assert!(titles.lines().any(|title| title == "Rye bread"), "{titles}");
    let crumbs = says(platform, name, &["option", "get", "crumbs", "--format=json"]).await;
    assert_eq!(crumbs, "{\"a\":[1]}");
    let page = platform.visitor(name).get("/").await.with_status(200).text();
    assert!(page.contains("Rye bread") && page.contains("</html>"), "{page}");
    platform.visitor(name).get("/wp-login.php").await.with_status(200);
    let shown = platform.tenant(name).await;
    assert_eq!(shown["wordpressVersion"], version.as_str(), "{shown}");
    assert_eq!(shown["state"], "active", "{shown}");
}

/// A must-use plugin of the tenant's own.
async fn put_mu_plugin(platform: &Platform, name: &str, code: &str) -> PathBuf {
    let uid = platform.tenant(name).await["uid"].as_str().unwrap().to_owned();
    let content = platform.path(format!("shards/aipress-shard-001/sites/{uid}/wp-content"));
    let owner = std::fs::metadata(&content).unwrap();
    let folder = content.join("mu-plugins");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("breaks.php");
    std::fs::write(&file, format!("<?php\n{code}\n")).unwrap();
    for path in [&folder, &file] {
        std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    file
}

#[tokio::test]
async fn a_site_goes_from_6_1_to_6_8_to_7_1_with_all_that_is_in_it() {
    let platform = one_shard().await;
    old_site(&platform, "bakery").await;
    is_whole_on(&platform, "bakery", "6.1.").await;
    for version in ["6.8", "7.1"] {
        let told = move_to(&platform, "bakery", version).await.good();
        for step in ["keep a copy of the database", "upgrade the database", "look whether"] {
            assert!(told.err.contains(step), "step `{step}` in {}", told.err);
        }
        is_whole_on(&platform, "bakery", &format!("{version}.")).await;
        platform.has_clean_inventory().await;
    }
    let refused = move_to(&platform, "bakery", "6.1").await.ended(1);
    assert!(refused.err.contains("can't go back from 7.1"), "{}", refused.err);
    is_whole_on(&platform, "bakery", "7.1.").await;
}

#[tokio::test]
async fn an_upgrade_that_breaks_the_site_is_taken_back_and_told() {
    let platform = one_shard().await;
    old_site(&platform, "bakery").await;
    // As a plugin that calls what a newer WordPress has no more.
    let fatal = "if ( version_compare( $GLOBALS['wp_version'], '6.8', '>=' ) ) { gone_in_6_8(); }";
    let file = put_mu_plugin(&platform, "bakery", fatal).await;
    let told = move_to(&platform, "bakery", "6.8").await.ended(1);
    for words in ["WordPress 6.8", "answered 500", "gone_in_6_8", "the site is back on 6.1"] {
        assert!(told.err.contains(words), "`{words}` in {}", told.err);
    }
    is_whole_on(&platform, "bakery", "6.1.").await;
    platform.has_clean_inventory().await;

    // An upgrade of the database that dies halfway: some of its statements are done.
    std::fs::remove_file(&file).unwrap();
    // Loaded although plugins are skipped: as the database server's end would come.
    let uid = platform.tenant("bakery").await["uid"].as_str().unwrap().to_owned();
    let db = platform.path(format!("shards/aipress-shard-001/sites/{uid}/wp-content/db.php"));
    let hook = "add_filter( 'query', function ( $sql ) {
        static $writes = 0;
        if ( defined( 'WP_INSTALLING' ) && preg_match( '/^\\s*(UPDATE|INSERT|ALTER|DELETE)/i', $sql )
            && ++$writes > 2 ) {
            throw new Error( 'died in the middle' );
        }
        return $sql;
    } );";
    let owner = std::fs::metadata(db.parent().unwrap()).unwrap();
    std::fs::write(&db, format!("<?php {hook}")).unwrap();
    std::os::unix::fs::chown(&db, Some(owner.uid()), Some(owner.gid())).unwrap();
    // Another version than the one that was refused.
    let told = move_to(&platform, "bakery", "7.1").await.ended(1);
    for words in ["the upgrade of its database failed", "died in the middle", "back on 6.1"] {
        assert!(told.err.contains(words), "`{words}` in {}", told.err);
    }
    std::fs::remove_file(&db).unwrap();
    is_whole_on(&platform, "bakery", "6.1.").await;
    platform.has_clean_inventory().await;
    // With its cause gone, and asked for anew, it goes.
    move_to(&platform, "bakery", "6.8").await.good();
    is_whole_on(&platform, "bakery", "6.8.").await;
}

#[tokio::test]
async fn a_move_ends_whole_wherever_the_shard_is_killed() {
    let platform = one_shard().await;
    // What a move has beyond any other change.
    let parts = "shard.core-";
    old_site(&platform, "undisturbed").await;
    let there = async { drop(move_to(&platform, "undisturbed", "6.8").await.good()) };
    let there = platform.points_of(parts, there).await;
    assert!(there.len() >= 14, "{there:?}");
    for (index, run) in runs(&there).iter().enumerate() {
        let name = format!("site-{index}");
        old_site(&platform, &name).await;
        run.iter().for_each(|point| platform.kill_at(point));
        move_to(&platform, &name, "6.8").await.good();
        died(&platform, run).await;
        is_whole_on(&platform, &name, "6.8.").await;
        platform.has_clean_inventory().await;
    }
    // And on the way back.
    let fatal = "if ( version_compare( $GLOBALS['wp_version'], '6.8', '>=' ) ) { gone_in_6_8(); }";
    let broken = async |name: &str| {
        old_site(&platform, name).await;
        put_mu_plugin(&platform, name, fatal).await;
    };
    let refused = async |name: &str| {
        let told = move_to(&platform, name, "6.8").await.ended(1);
        assert!(told.err.contains("the site is back on 6.1"), "{}", told.err);
    };
    broken("broken").await;
    let mut back = platform.points_of(parts, refused("broken")).await;
    back.retain(|point| !there.contains(point));
    assert!(back.len() >= 2, "{back:?}");
    for (index, run) in runs(&back).iter().enumerate() {
        let name = format!("back-{index}");
        broken(&name).await;
        run.iter().for_each(|point| platform.kill_at(point));
        refused(&name).await;
        died(&platform, run).await;
        is_whole_on(&platform, &name, "6.1.").await;
        platform.has_clean_inventory().await;
    }
}
