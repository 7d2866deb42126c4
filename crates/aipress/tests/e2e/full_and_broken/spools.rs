//! Archives that find no room: it is said in words, nothing of them is left, and it works when there is
//! room again.

use std::fs;
use std::path::PathBuf;

use aipress_testkit::Platform;

use super::shard_of;

/// Takes a site out while there is room; the file is for later.
pub(super) async fn exported(platform: &Platform) -> PathBuf {
    let file = platform.home().join("bakery.aip");
    let name = file.to_str().unwrap();
    platform.cli(&["tenant", "export", "bakery", "--file", name]).await.good();
    file
}

/// With a full disk: neither out nor in.
pub(super) async fn find_no_room(platform: &Platform, archive: &std::path::Path) {
    let out = platform.home().join("again.aip");
    let (out_name, archive) = (out.to_str().unwrap(), archive.to_str().unwrap());
    let refused = platform.cli(&["tenant", "export", "bakery", "--file", out_name]).await;
    assert!(refused.code != 0 && refused.err.contains("disk"), "{}", refused.err);
    assert!(!out.exists(), "half an archive");
    let refused = platform.cli(&["tenant", "import", archive, "--name", "copy"]).await;
    assert!(refused.code != 0 && refused.err.contains("disk"), "{}", refused.err);
    let shard = shard_of(platform, "bakery").await;
    assert_eq!(left(platform.path("meta/imports")), Vec::<String>::new());
    let exports = left(platform.path(format!("shards/{shard}/exports")));
    assert!(!exports.iter().any(|name| name.ends_with(".part")), "{exports:?}");
}

/// With room again: both.
pub(super) async fn find_room(platform: &Platform, archive: &std::path::Path) {
    let out = platform.home().join("again.aip");
    platform.cli(&["tenant", "export", "bakery", "--file", out.to_str().unwrap()]).await.good();
    let archive = archive.to_str().unwrap();
    platform.cli(&["tenant", "import", archive, "--name", "copy"]).await.good();
    let page = platform.visitor("copy").get("/").await.with_status(200);
    assert_eq!(page.title(), "Title of bakery");
}

fn left(folder: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
