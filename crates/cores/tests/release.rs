//! A fake release site (archives on disk, by `file:` URLs) through the whole
//! store: refusal, interruption, concurrency, cache.

#![expect(clippy::expect_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use aipress_cores::{CoreError, CoreStore, Origin, ReleaseSite, Sources, Version, Wanted};

struct Fixture {
    temp: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { temp: tempfile::tempdir().expect("folder") };
        fs::create_dir(fixture.path("site")).expect("folder");
        fixture.offer(&[]);
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn store(&self) -> CoreStore {
        self.store_in("data")
    }

    fn store_in(&self, data: &str) -> CoreStore {
        let url = |path: PathBuf| format!("file://{}", path.display());
        let site = ReleaseSite::new(url(self.path("site")), url(self.path("site/check")));
        CoreStore::new(self.path(data).join("cores/wordpress"), self.path("cache"))
            .with_sources(Sources { release: Some(site), packages: None })
    }

    fn offer(&self, versions: &[&str]) {
        let offers: Vec<_> = versions
            .iter()
            .map(|version| serde_json::json!({"version": version, "php_version": "7.4"}))
            .collect();
        let text = serde_json::json!({ "offers": offers }).to_string();
        fs::write(self.path("site/check"), text).expect("write");
    }

    /// Publishes an archive of a tiny WordPress with its checksum.
    fn publish(&self, version: &str, requires_php: &str, marker: &str) {
        let tree = self.path("tree");
        if tree.exists() {
            fs::remove_dir_all(&tree).expect("remove");
        }
        let put = |path: &str, text: &str| {
            let path = tree.join("wordpress").join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("write");
        };
        let versions = format!(
            "<?php\n$wp_version = '{version}';\n$required_php_version = '{requires_php}';\n"
        );
        put("wp-includes/version.php", &versions);
        for path in [
            "wp-admin/includes/upgrade.php",
            "wp-admin/index.php",
            "wp-blog-header.php",
            "wp-includes/ID3/getid3.php",
            "wp-includes/PHPMailer/PHPMailer.php",
            "wp-includes/js/underscore.min.js",
            "wp-load.php",
            "wp-settings.php",
            "wp-content/themes/one/style.css",
            "wp-content/themes/one/index.php",
        ] {
            put(path, "");
        }
        put("index.php", marker);
        let archive = self.path("site").join(format!("wordpress-{version}.tar.gz"));
        run(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&tree).arg("wordpress"));
        let sum = Command::new("sha1sum").arg(&archive).output().expect("sha1sum").stdout;
        fs::write(archive.with_extension("gz.sha1"), &sum[..40]).expect("write");
    }

    fn leftovers(&self, shelf: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(shelf)).expect("list");
        let names = entries.map(|e| e.expect("entry").file_name().into_string().expect("text"));
        names.filter(|name| name.starts_with(".staging-")).collect()
    }
}

fn run(command: &mut Command) {
    assert!(command.status().expect("start").success(), "{command:?}");
}

fn quiet(_line: &str) {}

fn version(text: &str) -> Version {
    text.parse().expect("version")
}

fn wanted(text: &str) -> Wanted {
    text.parse().expect("wanted")
}

fn php() -> Version {
    version("8.2.35")
}

const SHELF: &str = "data/cores/wordpress";

#[tokio::test]
async fn a_release_is_fetched_once_and_stands_beside_others() {
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "7.4", "seven");
    fixture.publish("6.8.7", "7.4", "six");
    fixture.offer(&["7.1.4", "6.8.7"]);
    let store = fixture.store();
    let newest = store.ensure(&Wanted::Default, &php(), &quiet).await.expect("newest");
    assert_eq!(newest.dir, fixture.path(SHELF).join("7.1.4"));
    assert_eq!(fs::read_to_string(newest.dir.join("index.php")).expect("read"), "seven");
    assert!(matches!(newest.manifest.origin, Origin::Release { .. }));
    assert_eq!(newest.manifest.themes, ["one"]);
    let branch = store.ensure(&wanted("6.8"), &php(), &quiet).await.expect("branch");
    assert_eq!(branch.manifest.version, version("6.8.7"));

    // From here on the site is gone: what is there needs no network.
    fs::remove_dir_all(fixture.path("site")).expect("remove");
    for text in ["default", "7.1", "6.8.7"] {
        store.ensure(&wanted(text), &php(), &quiet).await.expect(text);
    }
    let versions: Vec<_> =
        store.list().expect("list").into_iter().map(|c| c.manifest.version.to_string()).collect();
    assert_eq!(versions, ["6.8.7", "7.1.4"]);
    let other = fixture.store_in("other");
    let from_cache = other.ensure(&Wanted::Default, &php(), &quiet).await.expect("cached");
    assert_eq!(from_cache.manifest, newest.manifest);
}

#[tokio::test]
async fn php_decides_which_versions_count() {
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "8.3", "");
    fixture.publish("6.8.7", "7.4", "");
    let store = fixture.store();
    let error = store.ensure(&wanted("7.1.4"), &php(), &quiet).await.expect_err("too new");
    assert!(matches!(error, CoreError::PhpTooOld { .. }), "{error}");
    store.ensure(&wanted("6.8.7"), &php(), &quiet).await.expect("old enough");
    store.ensure(&wanted("7.1.4"), &version("8.4"), &quiet).await.expect("with a newer PHP");
    let newest = |php: &str| store.newest_for_php(&version(php)).expect("list");
    assert_eq!(newest("8.4").expect("core").manifest.version, version("7.1.4"));
    assert_eq!(newest("8.2").expect("core").manifest.version, version("6.8.7"));
    assert_eq!(newest("5.6"), None);
}

#[tokio::test]
async fn an_archive_that_is_not_the_published_one_is_refused() {
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "7.4", "");
    let sum = fixture.path("site/wordpress-7.1.4.tar.gz.sha1");
    fs::write(&sum, "0".repeat(40)).expect("write");
    let error = fixture.store().ensure(&wanted("7.1.4"), &php(), &quiet).await.expect_err("taken");
    assert!(matches!(error, CoreError::ChecksumRefused { .. }), "{error}");
    assert_eq!(fixture.store().list().expect("list"), []);
    assert_eq!(fixture.leftovers("cache/cores"), [""; 0]);
}

#[tokio::test]
async fn an_archive_that_changed_with_its_checksum_is_refused() {
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "7.4", "first");
    let store = fixture.store();
    let core = store.ensure(&wanted("7.1.4"), &php(), &quiet).await.expect("first");
    fixture.publish("7.1.4", "7.4", "changed");
    fs::remove_dir_all(core.dir).expect("remove");
    fs::remove_dir_all(fixture.path("cache")).expect("remove");
    let error = store.ensure(&wanted("7.1.4"), &php(), &quiet).await.expect_err("taken");
    assert!(matches!(error, CoreError::ChecksumRefused { .. }), "{error}");
    assert!(error.to_string().contains("known-checksums.json"), "{error}");
}

#[tokio::test]
async fn what_an_interruption_left_is_never_seen_and_goes() {
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "7.4", "whole");
    let half = fixture.path(SHELF).join(".staging-abc/core/wp-includes");
    fs::create_dir_all(&half).expect("folder");
    fs::create_dir_all(fixture.path("cache/cores/.staging-def/root")).expect("folder");
    // Somebody's copy without manifest, under a version's name.
    fs::create_dir_all(fixture.path(SHELF).join("7.1.4/wp-admin")).expect("folder");
    let store = fixture.store();
    assert_eq!(store.list().expect("list"), []);
    let core = store.ensure(&wanted("7.1.4"), &php(), &quiet).await.expect("core");
    assert_eq!(fs::read_to_string(core.dir.join("index.php")).expect("read"), "whole");
    assert_eq!(fixture.leftovers(SHELF), [""; 0]);
    assert_eq!(fixture.leftovers("cache/cores"), [""; 0]);
}

#[tokio::test]
async fn a_fetch_given_up_in_the_middle_is_taken_up_again() {
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "7.4", "whole");
    let store = fixture.store();
    // Given up at each await that takes its time, from the first on.
    for polls in 1..40 {
        let (php, wanted) = (php(), wanted("7.1.4"));
        let mut fetch = Box::pin(store.ensure(&wanted, &php, &quiet));
        let mut ended = false;
        for _ in 0..polls {
            ended = futures_poll(fetch.as_mut()).await;
            if ended {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(fetch);
        for core in store.list().expect("list") {
            assert_eq!(fs::read_to_string(core.dir.join("index.php")).expect("read"), "whole");
        }
        if ended {
            break;
        }
    }
    store.ensure(&wanted("7.1.4"), &php(), &quiet).await.expect("core");
    assert_eq!(fixture.leftovers(SHELF), [""; 0]);
}

/// Polls once; whether it is ready.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready()))
        .await
}

#[tokio::test]
async fn two_at_once_fetch_it_once() {
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "7.4", "");
    let downloads = Mutex::new(0);
    let count = |line: &str| {
        if line.starts_with("downloading") {
            *downloads.lock().expect("lock") += 1;
        }
    };
    let (one, two) = (fixture.store(), fixture.store());
    let (version, php) = (wanted("7.1.4"), php());
    let (one, two) =
        tokio::join!(one.ensure(&version, &php, &count), two.ensure(&version, &php, &count));
    assert_eq!(one.expect("one"), two.expect("two"));
    assert_eq!(*downloads.lock().expect("lock"), 1);
}

#[tokio::test]
async fn a_damaged_cache_is_fetched_again() {
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "7.4", "right");
    fixture.store().ensure(&wanted("7.1.4"), &php(), &quiet).await.expect("first");
    let cached = fixture.path("cache/cores/7.1.4/index.php");
    fs::write(&cached, "wrong").expect("write");
    let core =
        fixture.store_in("other").ensure(&wanted("7.1.4"), &php(), &quiet).await.expect("core");
    assert_eq!(fs::read_to_string(core.dir.join("index.php")).expect("read"), "right");
    assert_eq!(fs::read_to_string(&cached).expect("read"), "right");
}

#[tokio::test]
async fn without_any_source_the_newest_at_hand_is_the_default() {
    let fixture = Fixture::new();
    fixture.publish("6.8.7", "7.4", "");
    fixture.publish("7.1.4", "7.4", "");
    fixture.store().ensure(&wanted("6.8.7"), &php(), &quiet).await.expect("one");
    fixture.store_in("other").ensure(&wanted("7.1.4"), &php(), &quiet).await.expect("two");
    fs::remove_dir_all(fixture.path("site")).expect("remove");
    let core = fixture.store().ensure(&Wanted::Default, &php(), &quiet).await.expect("at hand");
    assert_eq!(core.manifest.version, version("7.1.4"), "from the cache");
    assert!(core.dir.starts_with(fixture.path(SHELF)));
    let empty = CoreStore::new(fixture.path("empty"), fixture.path("empty-cache"))
        .with_sources(Sources { release: None, packages: None });
    let error = empty.ensure(&Wanted::Default, &php(), &quiet).await.expect_err("nothing");
    assert!(matches!(error, CoreError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn what_nobody_has_says_what_was_tried() {
    let fixture = Fixture::new();
    let error = fixture.store().ensure(&wanted("9.9"), &php(), &quiet).await.expect_err("had");
    let text = error.to_string();
    assert!(text.starts_with("WordPress 9.9 cannot be had: official release"), "{text}");
}

#[test]
fn a_core_is_readable_by_every_slot_user() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    fixture.publish("7.1.4", "7.4", "");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let core =
        runtime.block_on(fixture.store().ensure(&wanted("7.1.4"), &php(), &quiet)).expect("core");
    let mode =
        |path: &Path| fs::symlink_metadata(path).expect("metadata").permissions().mode() & 0o7777;
    assert_eq!(mode(&core.dir), 0o755);
    assert_eq!(mode(&core.dir.join("wp-includes")), 0o755);
    assert_eq!(mode(&core.dir.join("wp-load.php")), 0o644);
    assert_eq!(mode(&core.dir.join(".aipress-core.json")), 0o644);
}
