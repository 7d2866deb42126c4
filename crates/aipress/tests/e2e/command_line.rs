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
    other_shells_complete(&platform);
    man_pages_have_no_mistakes(&platform);
    waiting_can_be_stopped(&platform).await;
    errors_say_what_to_do(&platform).await;
    lesser_mistakes(&platform).await;
    settings_are_explained(&platform).await;
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
    assert_eq!(asks("aipress context use lo"), "local");
    assert_eq!(asks("aipress settings get acc"), "accessLog");
    assert!(!asks("aipress operation show ").is_empty());
    // Another platform than the one that the flag names is not asked.
    assert_eq!(asks("aipress --data /nowhere/at/all tenant show ba"), "");
}

/// zsh and fish ask in words of their own. `scripts/install test` brings both.
fn other_shells_complete(platform: &Platform) {
    let says = |shell: &str, args: &[&str]| {
        let mut command = Command::new(shell);
        command.args(args).env("AIPRESS_DATA", platform.data()).env("HOME", platform.home());
        command.env("XDG_CONFIG_HOME", platform.home()).env("PATH", platform.search_path());
        let output = command.output().unwrap_or_else(|error| panic!("{shell}: {error}"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{shell}: {told}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let fish = "aipress completion fish | source; complete -C 'aipress tenant show ba'";
    assert_eq!(says("fish", &["--no-config", "-c", fish]), "bakery");
    let register = "autoload -Uz compinit; compinit -u -D; source <(aipress completion zsh)";
    let zsh = format!("{register}; print -r -- ${{_comps[aipress]}}");
    let completer = says("zsh", &["-f", "-c", &zsh]);
    // What the completer would offer, without a line editor to offer it to.
    let ask = format!(
        "{register}; _describe() {{ print -r -- ${{(P)3}}; }}; words=(aipress tenant show \
         ba); CURRENT=4; {completer}"
    );
    assert!(says("zsh", &["-f", "-c", &ask]).contains("bakery"));
}

fn man_pages_have_no_mistakes(platform: &Platform) {
    let folder = platform.home().join("man1");
    let written = platform.command().args(["man", "--dir"]).arg(&folder).output().unwrap();
    assert!(written.status.success());
    let mut pages: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|page| page.unwrap().path()).collect();
    pages.sort();
    assert!(pages.len() > 60, "{pages:?}");
    let mut groff = Command::new("groff");
    let shown = groff.args(["-man", "-Kutf8", "-Tutf8", "-ww"]).args(&pages).output().unwrap();
    let told = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success() && told.is_empty(), "{told}");
}

/// Ctrl-C ends the waiting, not the change, and says how to go on.
async fn waiting_can_be_stopped(platform: &Platform) {
    let shard = platform.pid("aipress-shard-001").await;
    aipress_testkit::hold_process(shard);
    let mut waits = platform.terminal(80, &["tenant", "create", "slowly"]);
    waits.shows("record what was asked for");
    waits.interrupt();
    let (code, screen) = waits.ends();
    aipress_testkit::release_process(shard);
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("It goes on: `aipress operation watch "), "{screen}");
    platform.reaches("slowly", "active").await;
    platform.cli(&["tenant", "delete", "slowly", "--yes"]).await.good();
    platform.cli(&["tenant", "erase", "slowly", "--yes"]).await.good();
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
    let told = platform.cli(&["tenant", "list", "--state", "failed"]).await.good();
    assert!(told.out.is_empty() && told.err.contains("`aipress tenant list`"), "{told:?}");
    let told = platform.cli(&["-q", "tenant", "list", "--state", "failed"]).await.good();
    assert!(told.err.is_empty(), "{told:?}");
    let told = platform.cli(&["tenant", "list", "-o", "name"]).await.good();
    assert_eq!(told.out, "a-butchery-at-the-end\nbakery\n");
}

async fn lesser_mistakes(platform: &Platform) {
    let told = platform.cli(&["tenant"]).await.ended(2);
    assert!(told.err.contains("Make a site") && told.err.contains("Examples:"), "{}", told.err);
    let told = platform.cli(&["operation", "show", "nope"]).await.ended(3);
    assert!(told.err.contains("`aipress operation list`"), "{}", told.err);
    let told = platform.cli(&["tenant", "list", "--limit", "0"]).await.ended(2);
    assert!(told.err.contains("a number from 1 on"), "{}", told.err);
    let told = platform.cli(&["events", "--kind", "zzz"]).await.good();
    assert!(told.err.contains("No such events yet"), "{}", told.err);
    let told = platform.cli(&["man", "tennant"]).await.ended(2);
    assert!(told.err.contains("did you mean `aipress tenant`?"), "{}", told.err);
    let told = platform.cli(&["status", "-o", "name"]).await.good();
    assert!(told.out.lines().any(|line| line == "edge"), "{}", told.out);
}

async fn settings_are_explained(platform: &Platform) {
    let told = platform.cli(&["settings", "get", "lisen"]).await.ended(2);
    assert!(told.err.contains("did you mean `listen`?"), "{}", told.err);
    let told = platform.cli(&["settings", "set", "uidBase", "5000"]).await.ended(2);
    assert!(told.err.contains("can't be changed any more"), "{}", told.err);
    let told = platform.cli(&["settings", "set", "accessLog", "maybe"]).await.ended(2);
    assert!(told.err.contains("true or false is wanted"), "{}", told.err);
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
