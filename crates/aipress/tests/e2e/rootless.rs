//! Without root: the platform runs as one Unix user and says loudly that sites are not isolated.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use aipress_testkit::PNG;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;

use crate::options;

/// Where root keeps cores; somebody else has a cache at home.
const CACHE: &str = "/var/cache/aipress/cores";

#[tokio::test]
async fn without_root_it_works_and_says_loudly_that_sites_are_not_isolated() {
    let options = PlatformOptions { shards: 1, unprivileged: true, hello: true, ..options() };
    let platform = Platform::new(options);
    if let Some(user) = platform.user() {
        lend_the_cache(&platform, user);
    }
    let told = platform.up().await.good();
    assert!(told.out.contains("NOT isolated"), "{}", told.out);
    let doctor = platform.cli(&["doctor"]).await.good();
    assert!(doctor.out.contains("NOT isolated"), "{}", doctor.out);

    assert_eq!(platform.visitor("hello").get("/").await.title(), "Hello from AIPress");
    platform.create("bakery").await;
    let mut admin = platform.admin("bakery").await;
    let post = admin.publish("Rye bread").await;
    let image = admin.upload("loaf.png", PNG).await;
    platform.down().await;
    platform.up().await.good();
    platform.visitor("bakery").get(&post).await.with_status(200);
    assert_eq!(platform.visitor("bakery").get(&image).await.with_status(200).body, PNG);
    platform.cli(&["tenant", "delete", "bakery", "--yes"]).await.good();
    platform.cli(&["tenant", "undelete", "bakery"]).await.good();
    assert_eq!(platform.visitor("bakery").get(&image).await.with_status(200).body, PNG);
    platform.has_clean_inventory().await;

    let me = platform.user().unwrap_or_else(|| rustix::process::geteuid().as_raw());
    for process in platform.processes() {
        let owner = fs::metadata(format!("/proc/{}", process.pid)).map(|folder| folder.uid());
        assert!(owner.is_ok_and(|uid| uid == me), "{process:?} is not of user {me}");
    }
}

/// So that nothing is fetched twice.
fn lend_the_cache(platform: &Platform, user: u32) {
    if !Path::new(CACHE).is_dir() {
        return;
    }
    let folder = platform.home().join(".cache/aipress");
    fs::create_dir_all(&folder).unwrap();
    let run = |program: &str, args: &[&str], folder: &Path| {
        let status = Command::new(program).args(args).arg(folder).status().unwrap();
        assert!(status.success(), "{program} {args:?}");
    };
    run("cp", &["-r", CACHE], &folder);
    let folder = platform.home();
    run("chown", &["-R", &format!("{user}:{user}")], &folder);
}
