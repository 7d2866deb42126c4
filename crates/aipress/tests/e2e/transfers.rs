//! A site leaves in one file and comes back as it was; whatever fails on the way leaves nothing.

mod broken;
mod rows;
mod two_platforms;

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aipress_packages::build::ZipBuilder;
use aipress_testkit::Admin;
use aipress_testkit::PNG;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::end_process;
use aipress_testkit::wait_until;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::process::ChildStdin;

use self::rows::Rows;
use crate::killed::died;
use crate::killed::runs;
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

/// Bytes that don't shrink.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    next.take(length).collect()
}

/// A menu, a widget, and options whose values PHP serialized, with the site's address in them.
async fn furnish(platform: &Platform, admin: &mut Admin) {
    let home = platform.tenant("bakery").await["url"].as_str().unwrap().to_owned();
    let menu = json!({ "title": "Shop", "status": "publish",
        "content": format!("<!-- wp:navigation-link {{\"url\":\"{home}/shop\"}} /-->") });
    admin.rest("POST", "/wp/v2/navigation", &menu).await.with_status(201);
    let deep = json!({ "url": format!("{home}/ä"), "inner": format!("a:1:{{i:0;s:{}:\"{home}\";}}",
        home.len()), "list": [1, true, null, "日本", { "k": format!("{home}/x?y={home}") }] });
    let widget = json!({ "2": { "title": "Hours", "text": format!("See {home}/hours") } });
    for (name, value) in [("bakery_settings", deep), ("widget_text", widget)] {
        let value = value.to_string();
        let args =
            ["tenant", "wp", "bakery", "--", "option", "update", name, &value, "--format=json"];
        platform.cli(&args).await.good();
    }
}

/// What [`furnish`] left is there, whole, with the site's own address.
async fn is_furnished(platform: &Platform, name: &str) {
    let home = platform.tenant(name).await["url"].as_str().unwrap().to_owned();
    let option = async |option: &str| {
        let args = ["tenant", "wp", name, "--", "option", "get", option, "--format=json"];
        let told = platform.cli(&args).await.good();
        serde_json::from_str::<serde_json::Value>(&told.out).unwrap()
    };
    let settings = option("bakery_settings").await;
    assert_eq!(settings["url"], format!("{home}/ä"), "{settings}");
    assert_eq!(settings["inner"], format!("a:1:{{i:0;s:{}:\"{home}\";}}", home.len()));
    assert_eq!(settings["list"][4]["k"], format!("{home}/x?y={home}"), "{settings}");
    assert_eq!(settings["list"][3], "日本");
    assert_eq!(option("widget_text").await["2"]["text"], format!("See {home}/hours"));
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
    furnish(&platform, &mut admin).await;
    let before = files(&content(&platform, "bakery").await);
    let page = platform.visitor("bakery").get(&post).await.with_status(200).text();
    let archive = platform.home().join("bakery.aip");
    let file = archive.to_str().unwrap();
    platform.cli(&["tenant", "export", "bakery", "--file", file]).await.good();

    erase(&platform, "bakery").await;
    platform.cli(&["tenant", "import", file, "--name", "bakery"]).await.good();
    assert_eq!(files(&content(&platform, "bakery").await), before, "byte for byte");
    let again = platform.home().join("again.aip");
    let again = again.to_str().unwrap();
    platform.cli(&["tenant", "export", "bakery", "--file", again]).await.good();
    let left = Rows::of(&archive);
    assert!(left.tables() >= 12, "{} tables", left.tables());
    left.is_the_same_as(&Rows::of(Path::new(again)));
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
        is_furnished(&platform, name).await;
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
    let make = async |verb: &str, name: &str| {
        let import = ["tenant", "import", file, "--name", name];
        let clone = ["tenant", "clone", "bakery", name];
        let args = if verb == "import" { &import[..] } else { &clone[..] };
        platform.cli(args).await.good();
    };
    let import = platform.points_of("shard.", make("import", "undisturbed")).await;
    let mut clone = platform.points_of("shard.", make("clone", "undisturbed-2")).await;
    // What an import has, too, is as good there; what is left is the source's: it is begun anew.
    clone.retain(|point| !import.contains(point));
    assert!(import.len() >= 18 && clone.len() >= 2, "{import:?} {clone:?}");
    let (import, clone) = (runs(&import), runs(&clone));
    let import = import.iter().map(|run| ("import", run));
    let all = import.chain(clone.iter().map(|run| ("clone", run)));
    for (index, (verb, run)) in all.enumerate() {
        let name = format!("copy-{index}");
        run.iter().for_each(|point| platform.kill_at(point));
        make(verb, &name).await;
        died(&platform, run).await;
        let home = platform.visitor(&name).get("/").await.with_status(200);
        assert_eq!(home.title(), "Title of bakery", "{run:?}");
        platform.has_clean_inventory().await;
    }
}

#[tokio::test]
async fn an_encrypted_archive_opens_with_its_key_only() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let at = |name: &str| platform.home().join(name).to_str().unwrap().to_owned();
    let (file, word, other) = (at("bakery.aip.age"), at("word"), at("other"));
    std::fs::write(&word, "four slices of rye\n").unwrap();
    std::fs::write(&other, "five slices\n").unwrap();
    platform
        .cli(&["tenant", "export", "bakery", "--passphrase-file", &word, "--file", &file])
        .await
        .good();
    assert!(std::fs::read(&file).unwrap().starts_with(b"age-encryption.org/v1\n"));
    let whole = std::fs::read(&file).unwrap();
    let mut changed = whole.clone();
    let last = changed.len() - 9;
    changed[last] ^= 1;
    let import = async |args: &[&str]| {
        let base = ["tenant", "import", &file, "--name", "bakery-2"];
        platform.cli(&[&base, args].concat()).await
    };
    assert!(import(&[]).await.ended(2).err.contains("is encrypted"));
    let wrong = import(&["--passphrase-file", &other]).await;
    assert!(wrong.err.contains("the passphrase does not open it"), "{}", wrong.err);
    for (bytes, why) in [(&changed[..], "damaged"), (&whole[..whole.len() - 1], "cut off")] {
        std::fs::write(&file, bytes).unwrap();
        let told = import(&["--passphrase-file", &word]).await;
        assert!(told.err.contains(why), "{}", told.err);
        assert_eq!(platform.tenant("bakery-2").await, serde_json::Value::Null);
    }
    std::fs::write(&file, &whole).unwrap();
    import(&["--passphrase-file", &word]).await.good();
    platform.visitor("bakery-2").get("/").await.with_status(200);
    platform.has_clean_inventory().await;
}

/// Begins an import from standard input, and waits until its first piece is there, as that of so
/// many uploads.
async fn begin_import(
    platform: &Platform,
    name: &str,
    first: &[u8],
    uploads: usize,
) -> (Child, ChildStdin) {
    let mut command = tokio::process::Command::from(platform.command());
    command.args(["tenant", "import", "-", "--name", name]).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(first).await.unwrap();
    let dir = platform.path("meta/imports");
    wait_until(Duration::from_secs(120), "the first piece", async || {
        let found = std::fs::read_dir(&dir).map_err(|error| error.to_string())?.flatten();
        let there =
            found.filter(|entry| entry.metadata().is_ok_and(|meta| meta.len() >= PIECE)).count();
        if there >= uploads { Ok(()) } else { Err(format!("{there} uploads")) }
    })
    .await;
    (child, input)
}

#[tokio::test]
async fn ctrl_c_leaves_nothing() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let interrupted = async |child: Child| {
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
        rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::INT).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output());
        ended.await.expect("it ends").unwrap().status.code()
    };
    // An upload whose sender says no more.
    let first = noise(20_000_000);
    let (child, input) = begin_import(&platform, "gone", &first, 1).await;
    assert_eq!(interrupted(child).await, Some(130));
    drop(input);
    let left = std::fs::read_dir(platform.path("meta/imports")).unwrap().count();
    assert_eq!(left, 0, "its bytes are removed");

    // An export whose platform says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let token = platform.path("meta/admin-token");
    let file = platform.home().join("bakery.aip");
    let mut command = tokio::process::Command::from(platform.command());
    command.args(["tenant", "export", "bakery", "--server", &server, "--token-file"]).arg(token);
    command.arg("--file").arg(&file).kill_on_drop(true);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(120), silent.accept());
    let _asked = asked.await.expect("it asks").unwrap();
    assert_eq!(interrupted(child).await, Some(130));
    let left: Vec<_> = std::fs::read_dir(platform.home()).unwrap().flatten().collect();
    let ours = left.iter().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.ends_with(".part") || name.ends_with(".aip")
    });
    assert_eq!(ours.count(), 0, "{left:?}");
    platform.has_clean_inventory().await;
}

/// What the command line sends at once, in bytes.
const PIECE: u64 = 16 * 1024 * 1024;

#[tokio::test]
async fn an_upload_outlives_meta_and_leaves_nothing_when_its_sender_dies() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    let noise = noise(40_000_000);
    leave(&platform, "bakery", "film.bin", &noise).await;
    let archive = platform.home().join("bakery.aip");
    platform.cli(&["tenant", "export", "bakery", "--file", archive.to_str().unwrap()]).await.good();
    let whole = std::fs::read(&archive).unwrap();
    let (first, rest) = whole.split_at(20_000_000);

    let (mut child, input) = begin_import(&platform, "gone", first, 1).await;
    child.kill().await.unwrap();
    drop(input);
    assert_eq!(platform.tenant("gone").await, serde_json::Value::Null);

    let (child, mut input) = begin_import(&platform, "copy", first, 2).await;
    let pid = platform.pid("meta").await;
    end_process(pid);
    platform.back("meta", pid).await;
    input.write_all(rest).await.unwrap();
    drop(input);
    let ended = tokio::time::timeout(Duration::from_secs(300), child.wait_with_output());
    let ended = ended.await.unwrap().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let film = content(&platform, "copy").await.join("uploads/film.bin");
    assert!(std::fs::read(film).unwrap() == noise, "byte for byte");
    platform.has_clean_inventory().await;
}

#[tokio::test]
async fn an_old_wordpress_from_elsewhere_comes_with_its_dump_and_a_zip() {
    let platform = one_shard().await;
    platform.create("bakery").await;
    platform.admin("bakery").await.publish("Rye bread").await;
    let home = platform.tenant("bakery").await["url"].as_str().unwrap().to_owned();
    let at = |name: &str| platform.home().join(name).to_str().unwrap().to_owned();
    let (file, sql, zip) = (at("bakery.aip"), at("old.sql"), at("old.zip"));
    platform.cli(&["tenant", "export", "bakery", "--file", &file]).await.good();

    // As another host would have dumped it, years ago.
    let old = "https://old.example/blog";
    let mut dump = rows::dump(Path::new(&file));
    for (now, then) in [
        ("`wp_", "`x9_"),
        ("'wp_user_roles'", "'x9_user_roles'"),
        ("'wp_capabilities'", "'x9_capabilities'"),
        ("'wp_user_level'", "'x9_user_level'"),
        ("ENGINE=InnoDB", "ENGINE=MyISAM"),
        ("CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci", "CHARSET=latin1"),
        ("SET NAMES utf8mb4", "SET NAMES latin1"),
        (home.as_str(), old),
    ] {
        dump = dump.replace(now, then);
    }
    let mut dump = dump.into_bytes();
    let inner = format!("a:1:{{s:4:\"home\";s:{}:\"{old}\";}}", old.len());
    for (name, value) in [("old_settings", inner.as_bytes()), ("old_word", b"caf\xe9")] {
        dump.extend_from_slice(b"INSERT INTO `x9_options` (option_name,option_value) VALUES ('");
        dump.extend_from_slice(name.as_bytes());
        dump.extend_from_slice(b"','");
        dump.extend_from_slice(value);
        dump.extend_from_slice(b"');\n");
    }
    std::fs::write(&sql, dump).unwrap();
    let config = b"<?php\n$table_prefix = 'x9_';\ndefine('SHOP_KEY', 'secret');\n";
    let site = ZipBuilder::new()
        .file("htdocs/wp-config.php", config)
        .file("htdocs/wp-includes/version.php", b"<?php\n$wp_version = '4.9.8';\n")
        .file("htdocs/wp-content/uploads/loaf.png", PNG);
    std::fs::write(&zip, site.bytes()).unwrap();

    let args = ["tenant", "import", "--name", "moved", "--from-sql", &sql, "--files", &zip];
    let told = platform.cli(&[&args[..], &["--check"]].concat()).await.good();
    assert!(told.err.contains("SHOP_KEY") && !told.err.contains("secret"), "{}", told.err);
    assert_eq!(platform.tenant("moved").await, serde_json::Value::Null, "only looked at");
    platform.cli(&args).await.good();
    let page = platform.visitor("moved").get("/").await.with_status(200).text();
    assert!(page.contains("Rye bread") && !page.contains("old.example"));
    let image = platform.visitor("moved").get("/wp-content/uploads/loaf.png").await;
    assert_eq!(image.with_status(200).body, PNG);
    let option = async |option: &str| {
        let args = ["tenant", "wp", "moved", "--", "option", "get", option, "--format=json"];
        let told = platform.cli(&args).await.good();
        serde_json::from_str::<serde_json::Value>(&told.out).unwrap()
    };
    let moved = platform.tenant("moved").await["url"].as_str().unwrap().to_owned();
    assert_eq!(option("old_settings").await["home"], moved);
    assert_eq!(option("old_word").await, "caf\u{e9}");
    platform.admin("moved").await.publish("White bread").await;

    // A network is refused in words, before anything is sent.
    let network = ZipBuilder::new()
        .file("wp-config.php", b"<?php\ndefine( 'MULTISITE', true );\n")
        .file("wp-content/uploads/a", b"a");
    std::fs::write(&zip, network.bytes()).unwrap();
    let args = [&args[..], &["--prefix", "x9_"]].concat();
    let refused = platform.cli(&args).await;
    assert!(refused.code != 0 && refused.err.contains("MULTISITE"), "{}", refused.err);
}
