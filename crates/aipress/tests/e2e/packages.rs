//! Plugins by document on a real site: put in, changed, removed; and links that the site's people
//! plant where the platform unpacks as root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::lchown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use aipress_packages::build::ZipBuilder;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;

use crate::options;

#[tokio::test]
async fn plugins_follow_the_document_and_links_lead_nowhere() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    let dir = tempfile::tempdir().unwrap();
    mirror(&platform, dir.path()).await;
    let file = dir.path().join("bakery.yaml");
    let path = file.to_str().unwrap();
    let ask = |plugins: &str| fs::write(&file, document(plugins)).unwrap();

    ask("[{name: front, version: \"1.0\"}]");
    platform.cli(&["apply", "-f", path]).await.good();
    shows(&platform, "front 1.0").await;
    ask("[{name: front, version: \"1.1\"}]");
    platform.cli(&["apply", "-f", path]).await.good();
    shows(&platform, "front 1.1").await;

    let plugins = site_folder(&platform).await.join("wp-content/plugins");
    links_lead_nowhere(&platform, dir.path(), &plugins, &|version| {
        ask(&format!("[{{name: front, version: \"{version}\"}}]"));
    })
    .await;

    ask("[]");
    platform.cli(&["apply", "-f", path]).await.good();
    shows(&platform, "").await;
    assert!(!plugins.join("front").exists());
    platform.has_clean_inventory().await;
}

#[tokio::test]
async fn what_breaks_a_site_is_taken_back_while_visitors_come() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    let dir = tempfile::tempdir().unwrap();
    mirror(&platform, dir.path()).await;
    let file = dir.path().join("bakery.yaml");
    let path = file.to_str().unwrap();
    let ask = |version: &str| {
        fs::write(&file, document(&format!("[{{name: front, version: \"{version}\"}}]"))).unwrap();
    };
    ask("1.0");
    platform.cli(&["apply", "-f", path]).await.good();
    shows(&platform, "front 1.0").await;
    for (version, hook, does, why) in [
        ("2.0", "template_redirect", "front_is_not_there();", "/ answered 500: PHP Fatal error"),
        ("2.1", "template_redirect", "exit;", "/ is a white page"),
        ("2.2", "admin_init", "front_is_not_there();", "/wp-admin/ answered 500: PHP Fatal error"),
        ("2.3", "login_init", "throw new Exception('no');", "/wp-login.php answered 500"),
    ] {
        let code = format!("add_action('{hook}', function () {{ {does} }});");
        add(&platform, dir.path(), version, &code).await;
        ask(version);
        let mut visitor = platform.visitor("bakery");
        let words = ["apply", "-f", path];
        let apply = platform.cli(&words);
        tokio::pin!(apply);
        // Visitors keep the old code in the opcode cache, where a look must not find it.
        let ended = loop {
            tokio::select! {
                ended = &mut apply => break ended,
                // Whatever they get: what breaks the site is there for a moment.
                _ = visitor.send("GET", "/", &[], Vec::new()) => {}
            }
        };
        let ended = ended.ended(1);
        assert!(ended.out.contains(why) && ended.out.contains("taken back"), "{ended:?}");
        assert!(ended.out.contains("the site is as it was before"), "{ended:?}");
        shows(&platform, "front 1.0").await;
        let header = fs::read_to_string(
            site_folder(&platform).await.join("wp-content/plugins/front/front.php"),
        )
        .unwrap();
        assert!(header.contains("Version: 1.0"), "{version}: {header}");
    }
    // A look as an administrator is no way in for anybody else.
    let mut stranger = platform.visitor("bakery").with("aipress-smoke", "administrator");
    stranger.get("/wp-admin/").await.with_status(302);
    platform.has_clean_inventory().await;
}

#[tokio::test]
async fn plugins_of_debian_come_and_go_by_command_and_the_inventory_follows() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    let dir = tempfile::tempdir().unwrap();
    let debian = debians_plugins();
    platform.cli(&["tenant", "create", "bakery"]).await.good();
    let run =
        async |words: &[&str]| platform.cli(&[&["tenant", "plugin"], words].concat()).await.good();
    // One by its archive, which is uploaded on the way; one by name, from the mirror.
    let zip = zipped(&debian, "xrds-simple", dir.path());
    run(&["install", "bakery", "--file", zip.to_str().unwrap()]).await;
    let zip = zipped(&debian, "http-authentication", dir.path());
    platform.cli(&["package", "add", zip.to_str().unwrap()]).await.good();
    let planned = run(&["install", "bakery", "http-authentication", "--dry-run"]).await;
    assert!(planned.out.contains("http-authentication"), "{}", planned.out);
    run(&["install", "bakery", "http-authentication", "--inactive"]).await;
    mirror(&platform, dir.path()).await;
    run(&["install", "bakery", "front", "--version", "1.0"]).await;
    shows(&platform, "front 1.0").await;

    let plugin = async |name: &str| {
        let seen = ["tenant", "inventory", "bakery", "--refresh", "-o", "json"];
        let seen = platform.cli(&seen).await.good().json();
        let all = seen["site"]["plugins"].as_array().unwrap().clone();
        let found = all.into_iter().find(|plugin| plugin["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {seen}"))
    };
    let seen = plugin("xrds-simple").await;
    assert_eq!((seen["version"].as_str(), seen["status"].as_str()), (Some("1.2"), Some("active")));
    assert_eq!(plugin("http-authentication").await["status"], "inactive");
    // WordPress.org can't be reached from a test: what the mirror has is what is newer.
    let seen = plugin("front").await;
    assert_eq!(
        (seen["update"].as_str(), &seen["updateVersion"]),
        (Some("available"), &"1.1".into())
    );
    let told = run(&["list", "bakery"]).await;
    let line = told.out.lines().find(|line| line.starts_with("front")).unwrap();
    assert!(line.contains("1.0") && line.contains("active") && line.contains("1.1"), "{line}");
    run(&["update", "bakery", "front"]).await;
    shows(&platform, "front 1.1").await;
    run(&["deactivate", "bakery", "front"]).await;
    shows(&platform, "").await;
    run(&["activate", "bakery", "front"]).await;
    shows(&platform, "front 1.1").await;
    let document = platform.cli(&["tenant", "show", "bakery", "-o", "yaml"]).await.good();
    assert!(
        document.out.contains("name: front") && document.out.contains("1.1"),
        "{}",
        document.out
    );

    let plugins = site_folder(&platform).await.join("wp-content/plugins");
    for name in ["xrds-simple", "http-authentication", "front"] {
        assert!(plugins.join(name).exists(), "{name}");
        run(&["remove", "bakery", name]).await;
        assert!(!plugins.join(name).exists(), "{name}");
    }
    let never = platform.cli(&["tenant", "plugin", "remove", "bakery", "never"]).await;
    assert!(never.code != 0 && never.err.contains("has no plugin `never`"), "{never:?}");
    // Visitors came meanwhile; the gateway writes that down now and then.
    wait_until(Duration::from_secs(60), "a last visit", async || {
        let seen = ["tenant", "inventory", "bakery", "--refresh", "-o", "json"];
        let seen = platform.cli(&seen).await.good().json();
        seen["lastVisitAt"].as_str().map(|_| ()).ok_or(seen.to_string())
    })
    .await;
    platform.has_clean_inventory().await;
}

/// Debian's packages of plugins, unpacked: `scripts/plugins` gets them once.
fn debians_plugins() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/plugins");
    let told = std::process::Command::new(script).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    PathBuf::from(String::from_utf8(told.stdout).unwrap().trim())
}

/// An archive of the plugin, as an author would make it.
fn zipped(plugins: &Path, name: &str, dir: &Path) -> PathBuf {
    let mut zip = ZipBuilder::new();
    let mut folders = vec![plugins.join(name)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(plugins).unwrap().to_str().unwrap();
            zip = zip.file(below, &fs::read(&path).unwrap());
        }
    }
    let path = dir.join(format!("{name}.zip"));
    fs::write(&path, zip.bytes()).unwrap();
    path
}

/// Puts a version of the plugin into the mirror.
async fn add(platform: &Platform, dir: &Path, version: &str, code: &str) {
    let zip = dir.join(format!("front-{version}.zip"));
    fs::write(&zip, ZipBuilder::plugin("front", version, code).bytes()).unwrap();
    platform.cli(&["package", "add", zip.to_str().unwrap()]).await.good();
}

/// Fills the mirror with two versions of a plugin.
async fn mirror(platform: &Platform, dir: &Path) {
    for version in ["1.0", "1.1"] {
        let code =
            format!("add_action('wp_footer', function () {{ echo '<!-- front {version} -->'; }});");
        add(platform, dir, version, &code).await;
    }
}

fn document(plugins: &str) -> String {
    format!(
        "apiVersion: aipress.io/v1\nkind: Tenant\nmetadata: {{name: bakery}}\nspec:\n  \
         plugins: {plugins}\n"
    )
}

/// Waits until the home page shows that version of the plugin: PHP looks for changed files every
/// 2 s.
async fn shows(platform: &Platform, wanted: &str) {
    wait_until(Duration::from_secs(60), wanted, async || {
        let is = seen(platform).await;
        if is == wanted { Ok(()) } else { Err(format!("`{is}`")) }
    })
    .await;
}

/// What the plugin leaves on the home page.
async fn seen(platform: &Platform) -> String {
    let page = platform.visitor("bakery").get("/").await.with_status(200).text();
    let mark = page.split("<!-- front ").nth(1).and_then(|rest| rest.split(' ').next());
    mark.map(|version| format!("front {version}")).unwrap_or_default()
}

async fn site_folder(platform: &Platform) -> PathBuf {
    let tenant = platform.tenant("bakery").await;
    let shard = Path::new("shards").join(tenant["shard"].as_str().unwrap());
    platform.path(shard.join("sites").join(tenant["uid"].as_str().unwrap()))
}

/// The site's people own its folders: neither the plugin's nor the one around it may lead the
/// platform, which is root, elsewhere.
async fn links_lead_nowhere(
    platform: &Platform,
    dir: &Path,
    plugins: &Path,
    ask: &(dyn Fn(&str) + Sync),
) {
    let path = dir.join("bakery.yaml");
    let path = path.to_str().unwrap();
    let treasure = dir.join("treasure");
    fs::create_dir_all(treasure.join("front")).unwrap();
    fs::write(treasure.join("front/gold"), "gold").unwrap();
    let owner = fs::metadata(plugins).unwrap();
    let plant = |target: &Path, link: &Path| {
        symlink(target, link).unwrap();
        lchown(link, Some(owner.uid()), Some(owner.gid())).unwrap();
    };

    let aside = plugins.with_file_name("aside");
    fs::rename(plugins, &aside).unwrap();
    plant(&treasure, plugins);
    ask("1.0");
    let refused = platform.cli(&["apply", "-f", path]).await.ended(1);
    assert!(refused.out.contains("not a link"), "{}{}", refused.out, refused.err);
    fs::remove_file(plugins).unwrap();
    fs::rename(&aside, plugins).unwrap();

    fs::remove_dir_all(plugins.join("front")).unwrap();
    plant(&treasure.join("front"), &plugins.join("front"));
    ask("1.1");
    platform.cli(&["apply", "-f", path]).await.good();
    shows(platform, "front 1.1").await;
    let names: Vec<_> = fs::read_dir(treasure.join("front"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["gold"]);
    assert_eq!(fs::read_to_string(treasure.join("front/gold")).unwrap(), "gold");
    let made = fs::metadata(plugins.join("front/front.php")).unwrap();
    assert_eq!((made.uid(), made.mode() & 0o7777), (owner.uid(), 0o640));
}
