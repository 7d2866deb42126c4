//! The command line as people have it: at a terminal, with a shell that completes, with several
//! platforms, and with typing errors.

use std::process::Command;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;

use crate::options;

#[tokio::test]
async fn a_person_at_a_terminal() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    platform.create("bakery").await;
    platform.create("a-butchery-at-the-end").await;

    lists_fit(&platform);
    the_name_must_be_typed(&platform).await;
    names_are_completed(&platform);
    errors_say_what_to_do(&platform).await;
    contexts(&platform).await;
}

/// A screen without its colours.
fn plain(screen: &str) -> String {
    let mut text = String::new();
    let mut rest = screen;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    text + rest
}

fn lists_fit(platform: &Platform) {
    for (columns, cut) in [(80, true), (120, false)] {
        let (code, screen) = platform.terminal(columns, &["tenant", "list"]).ends();
        assert_eq!(code, 0, "{screen}");
        assert!(screen.contains("\x1b[32mactive"), "a coloured state: {screen:?}");
        let text = plain(&screen);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(columns), "{widest} columns: {text}");
        assert_eq!(text.contains('…'), cut, "{text}");
        assert!(text.contains("a-butchery-at-the-end"), "{text}");
    }
    let (_, screen) = platform.terminal(80, &["tenant", "list", "--color", "never"]).ends();
    assert!(!screen.contains('\x1b'), "{screen:?}");
    let (_, screen) = platform.terminal(80, &["operation", "list", "--columns", "created"]).ends();
    assert!(screen.contains("ago") || screen.contains("now"), "{screen}");
}

async fn the_name_must_be_typed(platform: &Platform) {
    let mut asked = platform.terminal(80, &["tenant", "suspend", "bakery"]);
    asked.shows("Type `bakery` to go on: ");
    asked.types("butchery");
    let (code, screen) = asked.ends();
    assert_eq!(code, 8, "{screen}");
    assert!(screen.contains("nothing is changed"), "{screen}");
    assert_eq!(platform.tenant("bakery").await["state"], "active");

    let mut asked = platform.terminal(80, &["tenant", "suspend", "bakery"]);
    asked.shows("takes the site offline");
    asked.shows("to go on: ");
    asked.types("bakery");
    let (code, screen) = asked.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("✓ stop serving"), "{screen}");
    assert_eq!(platform.tenant("bakery").await["state"], "suspended");
    platform.cli(&["tenant", "resume", "bakery"]).await.good();
}

fn names_are_completed(platform: &Platform) {
    let asks = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let last = words.len() - 1;
        let script = format!(
            "source <(aipress completion bash)\nCOMP_WORDS=({line})\nCOMP_CWORD={last}\n\
             _clap_complete_aipress aipress '{}' x\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words[last]
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &script]).env("AIPRESS_DATA", platform.data());
        bash.env("XDG_CONFIG_HOME", platform.home()).env("PATH", platform.search_path());
        let output = bash.output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(asks("aipress tenant show ba"), "bakery");
    assert_eq!(asks("aipress tenant sus"), "suspend");
    assert_eq!(asks("aipress shard show aip"), "aipress-shard-001");
    // Another platform than the one that the flag names is not asked.
    assert_eq!(asks("aipress --data /nowhere/at/all tenant show ba"), "");
}

async fn errors_say_what_to_do(platform: &Platform) {
    let told = platform.cli(&["tenant", "show", "bakrey"]).await.ended(3);
    assert!(told.err.contains("Did you mean `bakery`?"), "{}", told.err);
    assert!(told.err.contains("code not_found") && told.err.contains("request "), "{}", told.err);
    let told = platform.cli(&["shard", "show", "aipress-shard-002"]).await.ended(3);
    assert!(told.err.contains("`aipress-shard-001`"), "{}", told.err);
    let set = ["tenant", "update", "bakery", "--set", "wordpress.titel=x"];
    let told = platform.cli(&set).await.ended(4);
    assert!(told.err.contains("/spec/wordpress/titel: "), "{}", told.err);
    let told = platform.cli(&["tenant", "list", "--state", "erased"]).await.good();
    assert!(told.out.is_empty() && told.err.contains("`aipress tenant list`"), "{told:?}");
    let told = platform.cli(&["-q", "tenant", "list", "--state", "erased"]).await.good();
    assert!(told.err.is_empty(), "{told:?}");
    let told = platform.cli(&["tenant", "list", "-o", "name"]).await.good();
    assert_eq!(told.out, "a-butchery-at-the-end\nbakery\n");
}

/// Another person, on a machine without a platform.
async fn contexts(platform: &Platform) {
    let elsewhere = platform.home().join("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    let there = async |args: &[&str]| platform.cli_in(args, &[("AIPRESS_DATA", elsewhere)]).await;
    let server = format!("http://console.localhost:{}", platform.address().port());
    let token = platform.path("meta/admin-token").display().to_string();

    let add = ["context", "add", "prod", "--server", &server, "--token-file", &token, "--use"];
    there(&add).await.good();
    assert!(there(&["tenant", "list", "-o", "name"]).await.good().out.contains("bakery"));
    let shown = there(&["context", "show", "-o", "json"]).await.good().json();
    assert_eq!((&shown["name"], &shown["token"]), (&"prod".into(), &token.into()));

    // A stranger gets no token, neither the context's nor the data folder's.
    let flag = ["tenant", "list", "--server", &server];
    let told = there(&flag).await.ended(5);
    assert!(told.err.contains("No token was sent"), "{}", told.err);

    there(&["context", "add", "gone", "--server", "http://127.0.0.1:1"]).await.good();
    let told = there(&["tenant", "list", "--context", "gone"]).await.ended(6);
    assert!(told.err.contains("context `gone`, chosen by --context"), "{}", told.err);
    let told = there(&["tenant", "list", "--context", "prdo"]).await.ended(2);
    assert!(told.err.contains("did you mean `prod`?"), "{}", told.err);
    there(&["context", "use", "local"]).await.good();
    let told = there(&["tenant", "list"]).await.ended(6);
    assert!(told.err.contains(elsewhere) && told.err.contains("aipress up"), "{}", told.err);

    let file = there(&["config", "path"]).await.good().out;
    let mode = std::fs::metadata(file.trim()).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    std::fs::write(file.trim(), "curentContext: prod\n").unwrap();
    let told = there(&["tenant", "list"]).await.ended(2);
    assert!(told.err.contains("did you mean `currentContext`?"), "{}", told.err);
}
