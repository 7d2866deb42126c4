//! `--dry-run` of every command: it says what would be done, and nothing is. And `plan apply`, with
//! what it does when the plan does not fit any more.

use std::path::Path;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;

use crate::options;

/// What the platform has, as its API tells.
async fn everything(platform: &Platform) -> String {
    let mut all = String::new();
    for args in [
        ["tenant", "list"],
        ["operation", "list"],
        ["webhook", "list"],
        ["package", "list"],
        ["shard", "list"],
    ] {
        let told = platform.cli(&[args.as_slice(), &["-o", "json"]].concat()).await.good().out;
        // Times of reports go on by themselves.
        all.extend(told.lines().filter(|line| !line.contains("reportedAt")));
    }
    let audit = platform.api().get("/v1/audit").await.with_status(200).text();
    all + &audit
}

#[tokio::test]
async fn every_command_can_be_planned_and_plans_are_applied_while_they_fit() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    platform.create("bakery").await;
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("bakery.aip");
    let archive = archive.to_str().unwrap();
    platform.cli(&["tenant", "export", "bakery", "--file", archive]).await.good();
    let hook = platform.cli(&["webhook", "create", "https://example.org/hook", "-o", "json"]).await;
    let hook = hook.good().json()["webhook"]["id"].as_str().unwrap().to_owned();

    nothing_is_done(&platform, dir.path(), archive, &hook).await;
    plans_are_applied(&platform, &hook).await;
    stale_plans_are_refused(&platform).await;
    platform.has_clean_inventory().await;
}

async fn nothing_is_done(platform: &Platform, dir: &Path, archive: &str, hook: &str) {
    let zip = dir.join("bread.zip");
    std::fs::write(&zip, aipress_packages::build::ZipBuilder::plugin("bread", "1.0", "").bytes())
        .unwrap();
    let zip = zip.to_str().unwrap();
    let kept = dir.join("kept.aip");
    std::fs::write(&kept, "mine").unwrap();
    let (kept_text, pages) = (kept.to_str().unwrap(), dir.join("pages"));
    let before = everything(platform).await;
    let cases: &[(&[&str], &str)] = &[
        (&["tenant", "create", "cakes"], "make the site `cakes`"),
        (&["tenant", "update", "bakery", "--tier", "gold"], "bronze → gold"),
        (&["tenant", "suspend", "bakery"], "stop serving `bakery`"),
        (&["tenant", "delete", "bakery"], "its slot is freed"),
        (&["tenant", "login", "bakery"], "signs in to `bakery` once"),
        (&["tenant", "inventory", "bakery", "--refresh"], "runs: aipress inventory"),
        (&["tenant", "wp", "bakery", "--", "option", "list"], "limits: 60 s, 768 MiB of memory"),
        (&["tenant", "export", "bakery", "--file", kept_text], "write an archive of `bakery`"),
        (&["tenant", "import", archive, "--name", "moved"], "becomes the site `moved`"),
        (&["tenant", "clone", "bakery", "copy"], "of a copy of another"),
        (&["webhook", "create", "https://example.org/b"], "tell https://example.org/b of events"),
        (&["webhook", "update", hook, "--pause"], "active → paused"),
        (&["webhook", "test", hook], "send a test"),
        (&["webhook", "rotate-secret", hook], "a new one"),
        (&["webhook", "delete", hook], "it can't be undone"),
        (&["package", "add", zip], "take plugin bread 1.0 into the mirror"),
        (&["package", "fetch", "akismet"], "get plugin akismet into the mirror"),
        (&["shard", "cordon", "aipress-shard-001"], "open → cordoned"),
        (&["up"], "is started already"),
        (&["down"], "stop edge"),
        (&["core", "fetch", "6.1.9"], "WordPress"),
        (&["man", "--dir", pages.to_str().unwrap()], "write the man pages"),
        (&["config", "set", "output", "wide"], "+output: wide"),
        (&["context", "add", "x", "--server", "http://127.0.0.1:1"], "+  x:"),
        // What changes nothing is simply done.
        (&["tenant", "list"], "bakery"),
    ];
    for (args, words) in cases {
        let dry = [args, ["--dry-run"].as_slice()].concat();
        // What follows `--` is the command's own.
        let dry = match args.iter().position(|arg| *arg == "--") {
            Some(at) => [&args[..at], &["--dry-run"], &args[at..]].concat(),
            None => dry,
        };
        let told = platform.cli(&dry).await.good();
        assert!(told.out.contains(words), "{args:?}: {}\n{}", told.out, told.err);
    }
    assert_eq!(everything(platform).await, before);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "mine");
    assert!(!pages.exists() && !platform.home().join(".config/aipress/config.yaml").exists());
    platform.cli(&["clean-data", "--dry-run"]).await.ended(1);
}

fn hash(planned: &str) -> &str {
    planned.split_once("aipress plan apply ").unwrap().1.trim()
}

async fn plans_are_applied(platform: &Platform, hook: &str) {
    let plan = async |args: &[&str]| platform.cli(args).await.good().out;
    let run =
        plan(&["tenant", "wp", "bakery", "--dry-run", "--", "option", "get", "blogname"]).await;
    let told = platform.cli(&["plan", "apply", hash(&run)]).await.good().out;
    assert_eq!(told, "Title of bakery\n1 change made\n");
    let failing = plan(&["tenant", "wp", "bakery", "--dry-run", "--", "option", "get", "no"]).await;
    platform.cli(&["plan", "apply", hash(&failing)]).await.ended(1);

    let link = plan(&["tenant", "login", "bakery", "--dry-run"]).await;
    let link = platform.cli(&["plan", "apply", hash(&link)]).await.good().url("aipress_login");
    let mut browser = platform.visitor("bakery");
    let path = link.split_once(&platform.address().port().to_string()).unwrap().1.to_owned();
    let entered = browser.get(&path).await;
    assert_eq!(entered.status, 302, "{}", entered.text());

    let rotate = plan(&["webhook", "rotate-secret", hook, "--dry-run"]).await;
    let told = platform.cli(&["plan", "apply", hash(&rotate)]).await.good().out;
    assert!(told.contains("its secret is whsec_"), "{told}");

    let made = plan(&["tenant", "clone", "bakery", "copy", "--dry-run"]).await;
    platform.cli(&["plan", "apply", hash(&made)]).await.good();
    assert_eq!(platform.tenant("copy").await["state"], "active");
}

async fn stale_plans_are_refused(platform: &Platform) {
    let dry = ["tenant", "update", "bakery", "--tier", "gold", "--dry-run"];
    let first = platform.cli(&dry).await.good().out;
    platform.cli(&["tenant", "update", "bakery", "--tier", "silver"]).await.good();
    let refused = platform.cli(&["plan", "apply", hash(&first)]).await.ended(4);
    assert!(refused.err.contains("plan_stale"), "{}", refused.err);
    // The plan that fits now is there to be read, and applied.
    assert!(refused.out.contains("silver → gold"), "{}", refused.out);
    assert_eq!(platform.tenant("bakery").await["spec"]["tier"], "silver");
    platform.cli(&["plan", "apply", hash(&refused.out)]).await.good();
    assert_eq!(platform.tenant("bakery").await["spec"]["tier"], "gold");
    platform.cli(&["plan", "apply", &"0".repeat(64)]).await.ended(3);
}
