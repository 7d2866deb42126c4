//! Documents as people use them: planned, compared, applied, pruned; and what they ask of PHP is
//! seen by the site's own code.

use std::path::Path;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::hold_process;
use aipress_testkit::release_process;
use aipress_testkit::wait_until;

use crate::options;

/// A must-use plugin that tells what PHP is like for it. Not by `ini_get()`: of a setting that a script
/// may not change, the opcode cache keeps its answer in the compiled file.
const TELLER: &str = "<?php if (isset($_GET['tell'])) { header('Content-Type: text/plain'); \
    $is = ini_get_all(null, false); \
    echo $is['memory_limit'], ' ', $is['upload_max_filesize'], ' ', $is['display_errors'], ' ', getenv('SHOP_MODE'), ' ', $_ENV['SHOP_MODE'] ?? '-'; exit; }";

#[tokio::test]
async fn documents_are_planned_compared_applied_and_pruned() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sites.yaml");
    let path = file.to_str().unwrap();
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(&format!("{}---\n{}", site("bakery", "bronze", ""), site("cakes", "bronze", "")));

    let dry = platform.cli(&["apply", "-f", path, "--dry-run"]).await.good().out;
    assert!(dry.contains("make the site `bakery`") && dry.contains("aipress plan apply"), "{dry}");
    platform.cli(&["tenant", "show", "bakery"]).await.ended(3);
    let made = platform.cli(&["apply", "-f", path, "-o", "json"]).await.good().out;
    assert_eq!(made.matches("\"created\"").count(), 2, "{made}");
    assert_eq!(platform.cli(&["diff", "-f", path]).await.good().out, "");
    let same = platform.cli(&["apply", "-f", path, "-o", "json"]).await.good().out;
    assert_eq!(same.matches("\"unchanged\"").count(), 2, "{same}");

    // What is shown is what can be applied.
    let shown = platform.cli(&["tenant", "show", "bakery", "-o", "yaml"]).await.good().out;
    assert!(shown.contains("apiVersion: aipress.io/v1") && shown.contains("status:"), "{shown}");
    write(&shown);
    let same = platform.cli(&["apply", "-f", path, "-o", "json"]).await.good().out;
    assert!(same.contains("\"unchanged\""), "{same}");

    let wishes = "  php: {settings: {memory_limit: 128M, upload_max_filesize: 20M, display_errors: on}}\n  \
        env: {SHOP_MODE: live}\n";
    php_is_as_asked(&platform, wishes, &write, path).await;
    a_site_is_hardened_as_asked(&platform, &write, path).await;

    // Nothing is applied when one document is wrong, and it is named.
    write(&format!("{}---\n{}", site("bakery", "gold", ""), site("cakes", "platinum", "")));
    let refused = platform.cli(&["apply", "-f", path]).await.ended(2).err;
    assert!(refused.contains("document 2: /spec/tier"), "{refused}");
    write(&site("bakery", "silver", "  domains: [a.example]\n"));
    let refused = platform.cli(&["apply", "-f", path]).await.ended(2).err;
    assert!(refused.contains("`domains` is not available yet"), "{refused}");

    of_two_who_make_one_name_one_is_told(&platform, dir.path()).await;
    write(&site("bakery", "bronze", ""));
    pruning_is_guarded(&platform, path).await;
    let prune = ["apply", "-f", path, "--prune", "--selector", "team=shops"];
    let asked = platform.cli(&prune).await.ended(8).err;
    assert!(asked.contains("cakes"), "{asked}");
    platform.cli(&[prune.as_slice(), &["--yes"]].concat()).await.good();
    let state = platform.cli(&["tenant", "show", "cakes"]).await.good().out;
    assert!(state.contains("deleted"), "{state}");
    platform.has_clean_inventory().await;
}

/// Somebody makes a site between the plan and its turn: nothing of it is overwritten.
async fn of_two_who_make_one_name_one_is_told(platform: &Platform, dir: &Path) {
    let file = dir.join("two.yaml");
    std::fs::write(
        &file,
        format!("{}---\n{}", site("first", "bronze", ""), site("twice", "silver", "")),
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let args = ["apply", "-f", file, "-o", "json"];
    // The first is not done before its shard goes on, and the second is not begun before that.
    let shard = platform.pid("aipress-shard-001").await;
    hold_process(shard);
    let meanwhile = async {
        wait_until(Duration::from_secs(60), "the first is recorded", async || {
            let first = platform.tenant("first").await;
            if first.is_null() { Err("not yet".to_owned()) } else { Ok(()) }
        })
        .await;
        platform.ask_for("twice").await;
        release_process(shard);
    };
    let (applied, ()) = tokio::join!(platform.cli(&args), meanwhile);
    let told = applied.ended(1).out;
    assert!(told.contains("somebody made a site of this name since it was planned"), "{told}");
    assert!(told.contains("\"created\"") && told.contains("\"failed\""), "{told}");
    let kept = platform.tenant("twice").await;
    assert_eq!((&kept["spec"]["tier"], &kept["generation"]), (&"bronze".into(), &1.into()));
    platform.reaches("twice", "active").await;
    let applied = platform.cli(&args).await.good().out;
    assert!(applied.contains("\"unchanged\"") && applied.contains("\"changed\""), "{applied}");
    for name in ["first", "twice"] {
        platform.cli(&["tenant", "delete", name, "--yes"]).await.good();
        platform.cli(&["tenant", "erase", name, "--yes"]).await.good();
    }
}

/// What looks like a slip deletes nothing, `--yes` or not.
async fn pruning_is_guarded(platform: &Platform, path: &str) {
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    for (files, selector, words) in [
        (empty, "team=shops", "no *.yaml"),
        (path, "taem=shops", "no document has these labels"),
        (path, "team=shpos", "no document has these labels"),
        (path, "team", "no document has these labels"),
        (path, " ", "give labels"),
    ] {
        let args = ["apply", "-f", files, "--prune", "--selector", selector, "--yes"];
        let refused = platform.cli(&args).await.ended(2).err;
        assert!(refused.contains(words), "{selector}: {refused}");
    }
    platform.cli(&["apply", "-f", path, "--prune", "--yes"]).await.ended(2);
    assert_eq!(platform.tenant("cakes").await["state"], "active");
}

fn site(name: &str, tier: &str, more: &str) -> String {
    format!(
        "apiVersion: aipress.io/v1\nkind: Tenant\nmetadata:\n  name: {name}\n  \
         labels: {{team: shops}}\nspec:\n  tier: {tier}\n{more}"
    )
}

async fn php_is_as_asked(platform: &Platform, wishes: &str, write: &impl Fn(&str), path: &str) {
    let tenant = platform.tenant("bakery").await;
    let shard = Path::new("shards").join(tenant["shard"].as_str().unwrap());
    let home = platform.path(shard.join("sites").join(tenant["uid"].as_str().unwrap()));
    let folder = home.join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("tell.php");
    std::fs::write(&file, TELLER).unwrap();
    own_like(&folder, folder.parent().unwrap());
    own_like(&file, folder.parent().unwrap());
    let told = async || platform.visitor("bakery").get("/?tell=1").await.with_status(200).text();
    // PHP looks for changed files every 2 s.
    wait_until(Duration::from_secs(60), "PHP as the platform has it", async || {
        let said = told().await;
        if said == "256M 100M 0  -" { Ok(()) } else { Err(said) }
    })
    .await;

    write(&site("bakery", "bronze", wishes));
    let diff = platform.cli(&["diff", "-f", path]).await.ended(1).out;
    assert!(diff.contains("+      memory_limit: 128M"), "{diff}");
    platform.cli(&["apply", "-f", path]).await.good();
    for _ in 0..5 {
        assert_eq!(told().await, "128M 20M On live live");
    }
    write(&site("bakery", "bronze", ""));
    platform.cli(&["apply", "-f", path]).await.good();
    for _ in 0..5 {
        assert_eq!(told().await, "256M 100M Off  -", "what was asked for before sticks");
    }
}

async fn a_site_is_hardened_as_asked(platform: &Platform, write: &impl Fn(&str), path: &str) {
    let xmlrpc = async || platform.visitor("bakery").get("/xmlrpc.php").await.status.as_u16();
    let users =
        async || platform.visitor("bakery").get("/wp-json/wp/v2/users").await.status.as_u16();
    assert_eq!((xmlrpc().await, users().await), (405, 401));
    let wish = "  security: {xmlrpc: disabled, userEnumeration: true}\n";
    write(&site("bakery", "bronze", wish));
    let dry = platform.cli(&["apply", "-f", path, "--dry-run"]).await.good().out;
    assert!(dry.contains("/spec/security/xmlrpc") && dry.contains("stop working"), "{dry}");
    platform.cli(&["apply", "-f", path]).await.good();
    assert_eq!((xmlrpc().await, users().await), (403, 200));
    write(&site("bakery", "bronze", ""));
    platform.cli(&["apply", "-f", path]).await.good();
    assert_eq!((xmlrpc().await, users().await), (405, 401));
}

/// Gives `path` to whoever owns `other`.
pub(crate) fn own_like(path: &Path, other: &Path) {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(other).unwrap();
    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}
