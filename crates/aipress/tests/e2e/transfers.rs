//! A site leaves in one file and comes back as it was; whatever fails on the way leaves nothing.

use std::path::Path;
use std::path::PathBuf;

use aipress_testkit::PNG;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;

use crate::options;

async fn one_shard() -> Platform {
    Platform::start(PlatformOptions { shards: 1, ..options() }).await
}

/// The folder of a site's files.
async fn content(platform: &Platform, name: &str) -> PathBuf {
    let uid = platform.tenant(name).await["uid"].as_str().unwrap().to_owned();
    platform.path("shards/aipress-shard-001/sites").join(uid).join("wp-content")
}

/// Every file below, with its bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(dir).unwrap().to_owned();
                found.push((below, std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// A file in the site's uploads, as its own user would leave it.
async fn leave(platform: &Platform, name: &str, file: &str, bytes: &[u8]) {
    let content = content(platform, name).await;
    let path = content.join("uploads").join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let owner = std::fs::metadata(&content).unwrap();
    let (uid, gid) = {
        use std::os::unix::fs::MetadataExt;
        (owner.uid(), owner.gid())
    };
    std::os::unix::fs::chown(path.parent().unwrap(), Some(uid), Some(gid)).unwrap();
    std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
}

async fn erase(platform: &Platform, name: &str) {
    platform.cli(&["tenant", "delete", name, "--yes"]).await.good();
    platform.cli(&["tenant", "erase", name, "--yes"]).await.good();
}

#[tokio::test]
async fn an_erased_site_comes_back_from_its_file_as_it_was() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let mut admin = platform.admin("bakery").await;
    let post = admin.publish("Rye bread").await;
    let image = admin.upload("loaf.png", PNG).await;
    leave(&platform, "bakery", &format!("odd/ä ö 日本 {}.txt", "x".repeat(180)), b"odd").await;
    leave(&platform, "bakery", "odd/empty", b"").await;
    let before = files(&content(&platform, "bakery").await);
    let page = platform.visitor("bakery").get(&post).await.with_status(200).text();
    let archive = platform.home().join("bakery.aip");
    let file = archive.to_str().unwrap();
    platform.cli(&["tenant", "export", "bakery", "--file", file]).await.good();

    erase(&platform, "bakery").await;
    platform.cli(&["tenant", "import", file, "--name", "bakery"]).await.good();
    assert_eq!(files(&content(&platform, "bakery").await), before, "byte for byte");
    let mut visitor = platform.visitor("bakery");
    assert_eq!(visitor.get(&image).await.with_status(200).body, PNG);
    let again = visitor.get(&post).await.with_status(200).text();
    assert!(again.contains("About Rye bread.") && page.contains("About Rye bread."));
    platform.admin("bakery").await.publish("White bread").await;

    // Under another name it has its own address everywhere.
    for (verb, name) in [("import", "bakery-2"), ("clone", "bakery-3")] {
        let args = match verb {
            "import" => vec!["tenant", "import", file, "--name", name],
            _ => vec!["tenant", "clone", "bakery", name],
        };
        platform.cli(&args).await.good();
        let home = platform.visitor(name).get("/").await.with_status(200).text();
        assert!(home.contains("Rye bread") && home.contains(&format!("{name}.localhost")));
        assert!(!home.contains("//bakery.localhost"), "{verb}: the old address");
        platform.admin(name).await;
    }
    platform.has_clean_inventory().await;
}

#[tokio::test]
async fn what_cannot_be_imported_leaves_nothing() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let archive = platform.home().join("bakery.aip");
    let file = archive.to_str().unwrap();
    platform.cli(&["tenant", "export", "bakery", "--file", file]).await.good();
    let whole = std::fs::read(&archive).unwrap();
    for (index, bytes) in [&whole[..whole.len() / 2], b"no archive", b""].iter().enumerate() {
        std::fs::write(&archive, bytes).unwrap();
        let name = format!("bad-{index}");
        platform.cli(&["tenant", "import", file, "--name", &name]).await.ended(4);
        assert_eq!(platform.tenant(&name).await, serde_json::Value::Null);
    }
    platform.has_clean_inventory().await;
}

#[tokio::test]
async fn import_and_clone_end_whole_wherever_the_shard_is_killed() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let archive = platform.home().join("bakery.aip");
    let file = archive.to_str().unwrap();
    platform.cli(&["tenant", "export", "bakery", "--file", file]).await.good();
    let points = [
        "shard.load.before",
        "shard.load.after",
        "shard.unpack.before",
        "shard.unpack.after",
        "shard.database.after",
        "shard.files.after",
    ];
    for (index, point) in points.iter().enumerate() {
        let name = format!("copy-{index}");
        platform.kill_at(point);
        if index % 2 == 0 {
            platform.cli(&["tenant", "import", file, "--name", &name]).await.good();
        } else {
            platform.cli(&["tenant", "clone", "bakery", &name]).await.good();
        }
        assert!(!platform.is_armed(point), "{point} was not reached");
        let home = platform.visitor(&name).get("/").await.with_status(200);
        assert_eq!(home.title(), "Title of bakery", "{point}");
        platform.has_clean_inventory().await;
    }
}
