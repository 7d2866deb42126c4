//! A site's life by the command line: suspended, resumed, deleted, undeleted, erased.

use aipress_testkit::PNG;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use serde_json::Value;

use crate::options;

#[tokio::test]
async fn what_is_deleted_comes_back_and_what_is_erased_leaves_nothing() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    let uid = platform.create("bakery").await;
    let mut admin = platform.admin("bakery").await;
    let post = admin.publish("Rye bread").await;
    let image = admin.upload("loaf.png", PNG).await;

    taking_away_asks_to_type_the_name(&platform).await;
    suspended_it_says_so_and_resumed_it_is_as_before(&platform, &post, &image).await;
    deleted_it_frees_its_slot_and_keeps_its_name(&platform, &post).await;
    undeleted_it_has_its_posts_and_files_also_in_another_slot(&platform, &post, &image).await;
    erased_it_leaves_nothing_and_its_name_is_free(&platform, &uid).await;
}

async fn verb(platform: &Platform, verb: &str, name: &str) -> Value {
    let mut args = vec!["tenant", verb, name, "-o", "json"];
    if ["suspend", "delete", "erase"].contains(&verb) {
        args.push("--yes");
    }
    platform.cli(&args).await.good().json()
}

async fn taken(platform: &Platform) -> u64 {
    let shard = platform.api().get("/v1/shards/aipress-shard-001").await.with_status(200);
    shard.as_json()["taken"].as_u64().unwrap()
}

async fn all_is_there(platform: &Platform, post: &str, image: &str) {
    let mut visitor = platform.visitor("bakery");
    assert!(visitor.get("/").await.with_status(200).text().contains("Rye bread"));
    assert!(visitor.get(post).await.with_status(200).text().contains("About Rye bread."));
    assert_eq!(visitor.get(image).await.with_status(200).body, PNG);
}

async fn taking_away_asks_to_type_the_name(platform: &Platform) {
    for verb in ["suspend", "delete", "erase"] {
        // Nobody is at this terminal.
        let told = platform.cli(&["tenant", verb, "bakery"]).await.ended(8);
        assert!(told.err.contains("--yes"), "{}", told.err);
    }
    assert_eq!(platform.tenant("bakery").await["state"], "active");
    // Erasing is for what was deleted before.
    platform.cli(&["tenant", "erase", "bakery", "--yes"]).await.ended(4);
    platform.cli(&["tenant", "undelete", "bakery"]).await.ended(4);
    platform.cli(&["tenant", "delete", "nobody", "--yes"]).await.ended(3);
    assert_eq!(platform.tenant("bakery").await["state"], "active");
}

async fn suspended_it_says_so_and_resumed_it_is_as_before(
    platform: &Platform,
    post: &str,
    image: &str,
) {
    assert_eq!(verb(platform, "suspend", "bakery").await["state"], "suspended");
    let mut visitor = platform.visitor("bakery");
    for path in ["/", post, image, "/wp-login.php"] {
        visitor.get(path).await.with_status(503);
    }
    platform.cli(&["tenant", "login", "bakery"]).await.ended(4);
    assert_eq!(taken(platform).await, 1, "a suspended site keeps its slot");
    assert_eq!(verb(platform, "resume", "bakery").await["state"], "active");
    all_is_there(platform, post, image).await;
}

async fn deleted_it_frees_its_slot_and_keeps_its_name(platform: &Platform, post: &str) {
    assert_eq!(verb(platform, "delete", "bakery").await["state"], "deleted");
    platform.visitor("bakery").get(post).await.with_status(404);
    assert_eq!(taken(platform).await, 0, "the slot is free");
    let told = platform.cli(&["tenant", "create", "bakery"]).await.ended(4);
    assert!(told.err.contains("undelete"), "{}", told.err);
    platform.has_clean_inventory().await;
}

async fn undeleted_it_has_its_posts_and_files_also_in_another_slot(
    platform: &Platform,
    post: &str,
    image: &str,
) {
    // Somebody else sits in its slot meanwhile.
    platform.create("florist").await;
    assert_eq!(verb(platform, "undelete", "bakery").await["state"], "active");
    all_is_there(platform, post, image).await;
    assert_eq!(platform.visitor("florist").get("/").await.title(), "Title of florist");
    let mut admin = platform.admin("bakery").await;
    let second = admin.publish("White bread").await;
    admin.upload("white.png", PNG).await;
    platform.visitor("bakery").get(&second).await.with_status(200);
    platform.has_clean_inventory().await;
}

async fn erased_it_leaves_nothing_and_its_name_is_free(platform: &Platform, uid: &str) {
    verb(platform, "delete", "bakery").await;
    verb(platform, "erase", "bakery").await;
    platform.has_clean_inventory().await;
    let inventory = platform.cli(&["doctor", "--inventory"]).await.good().out;
    let handle = uid.replace('-', "");
    assert!(!inventory.contains(uid) && !inventory.contains(&handle), "{inventory}");
    let shards = platform.path("shards");
    assert_eq!(named(&shards, &[uid, &handle]), Vec::<String>::new(), "files are left");
    let fresh = platform.create("bakery").await;
    assert_ne!(fresh, uid, "a uid is never used again");
    let home = platform.visitor("bakery").get("/").await.with_status(200);
    assert_eq!(home.title(), "Title of bakery");
    assert!(!home.text().contains("Rye bread"), "a post of the erased site");
}

/// Files and folders below `folder` whose name contains one of `words`.
fn named(folder: &std::path::Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().display().to_string();
        if words.iter().any(|word| name.contains(word)) {
            found.push(path.display().to_string());
        } else if path.is_dir() && !path.is_symlink() {
            found.extend(named(&path, words));
        }
    }
    found
}
