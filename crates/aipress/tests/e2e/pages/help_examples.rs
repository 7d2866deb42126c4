//! The examples of every `--help`: each runs against a real platform, or says by a word why it can't.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;

use super::blocks::root;
use super::run::bash;
use crate::options;

/// Why an example is not typed here.
const REASONS: [&str; 4] = ["platform", "internet", "person", "machine"];

fn script() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/pages/help_examples.sh");
    fs::read_to_string(file).unwrap()
}

/// The examples as `docs/COMMANDS.md` has them, which is generated from `--help`.
fn examples() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/COMMANDS.md")).unwrap();
    let mut examples = BTreeSet::new();
    let mut lines = page.lines();
    while lines.any(|line| line == "```sh generated") {
        let block = lines.by_ref().take_while(|line| *line != "```");
        examples.extend(block.map(str::to_owned));
    }
    examples
}

#[test]
fn every_example_is_typed_or_says_why_not() {
    let (script, examples) = (script(), examples());
    assert!(examples.len() > 150, "{examples:?}");
    let mut typed = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in script.lines() {
        let Some(told) = line.strip_prefix("#: ") else {
            typed.insert(line.to_owned());
            continue;
        };
        match told.split_once(": ") {
            Some((reason, example)) if REASONS.contains(&reason) => {
                if !examples.contains(example) {
                    wrong.push(format!("no help has this example: {line}"));
                }
                typed.insert(example.to_owned());
            }
            _ => wrong.push(format!("`#: WHY: EXAMPLE` is wanted: {line}")),
        }
    }
    wrong.extend(examples.difference(&typed).map(|missing| format!("not typed: {missing}")));
    assert!(wrong.is_empty(), "tests/e2e/pages/help_examples.sh:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_example_of_help_runs() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    // Nobody is there: what sites send waits, and can be sent again.
    platform.cli(&["settings", "set", "mail.server", "smtp://127.0.0.1:9"]).await.good();
    platform.down().await;
    platform.up().await.good();
    let told = run(&platform).await;
    assert_eq!(told, Ok(()));
    platform.has_clean_inventory().await;
}

/// Types them all at a platform.
async fn run(platform: &Platform) -> Result<(), String> {
    let started = Instant::now();
    let folder = platform.home().join("help-examples");
    fs::create_dir_all(folder.join("home")).unwrap();
    // A person without settings, at the end of whose work nothing is left.
    let script = format!(
        "set -Eeuo pipefail\nexport HOME={0}/home XDG_CONFIG_HOME={0}/home/.config\n\
         trap 'echo \"line $LINENO: $BASH_COMMAND\" >&2' ERR\nexec > {0}/out\n{1}",
        folder.display(),
        script()
    );
    let ended = bash(platform, &script, &folder, &folder).await;
    println!("the examples of --help: {:?}", started.elapsed());
    if ended.status.success() {
        return Ok(());
    }
    let out = fs::read_to_string(folder.join("out")).unwrap_or_default();
    let last: Vec<&str> = out.lines().rev().take(20).collect();
    Err(format!(
        "the examples of --help ({}):\n{}\n{}",
        ended.status,
        String::from_utf8_lossy(&ended.stderr),
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    ))
}
