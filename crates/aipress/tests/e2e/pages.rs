//! The pages in `docs/`: every block that says `run` is typed at a real platform, in order; every
//! example of JSON or YAML that names its schema has that form.

mod schema;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use serde_json::Value;

use crate::options;

/// Longest that the commands of one page may take, in seconds.
const PAGE_SECONDS: &str = "240";

/// A fenced block of a page.
struct Block {
    /// What stands behind the three backticks, in words.
    info: Vec<String>,
    text: String,
    line: usize,
}

impl Block {
    fn says(&self, language: &str, word: &str) -> bool {
        self.info.first().is_some_and(|first| first == language)
            && self.info.iter().skip(1).any(|other| other == word)
    }

    /// The value of `name=…` among the words.
    fn value(&self, name: &str) -> Option<&str> {
        self.info.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Pages by name, in the order of the alphabet.
fn pages() -> Vec<(String, Vec<Block>)> {
    let mut pages: Vec<(String, Vec<Block>)> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, blocks(&fs::read_to_string(&path).unwrap()))
        })
        .collect();
    pages.sort_by(|a, b| a.0.cmp(&b.0));
    pages
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                open = Some(Block { info, text: String::new(), line: number + 1 });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is never closed");
    blocks
}

/// One script of all the blocks of a page that are to be run.
fn script(page: &str, blocks: &[Block]) -> Option<String> {
    let mut script = String::from("set -euo pipefail\n");
    let mut any = false;
    for block in blocks.iter().filter(|block| block.says("sh", "run")) {
        any = true;
        script.push_str(&format!("echo '--- docs/{page}:{}' >&2\n", block.line));
        match block.value("exit") {
            None => script.push_str(&block.text),
            Some(code) => script.push_str(&format!(
                "set +e\n(\nset -e\n{})\n[ $? = {code} ] || exit 99\nset -e\n",
                block.text
            )),
        }
    }
    any.then_some(script)
}

#[tokio::test]
async fn the_examples_of_the_documents_run() {
    let platform = Platform::start(PlatformOptions { hello: true, ..options() }).await;
    let token = fs::read_to_string(platform.path("meta/admin-token")).unwrap();
    let folder = platform.data().parent().unwrap().to_owned();
    let mut pages_run = Vec::new();
    for (page, blocks) in pages() {
        let Some(script) = script(&page, &blocks) else { continue };
        let work = platform.home().join(&page);
        fs::create_dir(&work).unwrap();
        let mut bash = tokio::process::Command::new("timeout");
        bash.args(["--kill-after=5", PAGE_SECONDS, "bash", "-c", &script])
            .current_dir(&work)
            .kill_on_drop(true)
            .stdin(std::process::Stdio::null())
            .env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()))
            .env("HOME", platform.home())
            .env("XDG_CONFIG_HOME", platform.home().join(".config"))
            .env("AIPRESS_DATA", platform.data())
            .env("api", format!("http://console.localhost:{}/v1", platform.address().port()))
            .env("auth", format!("Authorization: Bearer {}", token.trim()));
        for variable in ["AIPRESS_SERVER", "AIPRESS_TOKEN", "AIPRESS_TOKEN_FILE", "AIPRESS_CONTEXT"]
        {
            bash.env_remove(variable);
        }
        let ended = bash.output().await.unwrap();
        assert!(
            ended.status.success(),
            "docs/{page} ({}):\n{}\n{}",
            ended.status,
            String::from_utf8_lossy(&ended.stderr),
            String::from_utf8_lossy(&ended.stdout)
        );
        pages_run.push(page);
    }
    assert!(pages_run.len() >= 5, "only {pages_run:?} have blocks that run");
}

#[test]
fn the_examples_of_the_documents_have_the_form_that_they_name() {
    let read = |path: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
    };
    let (api, tenant) = (read("openapi/meta.json"), read("schema/tenant.json"));
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (page, blocks) in pages() {
        for block in &blocks {
            let language = block.info.first().map_or("", String::as_str);
            let Some(name) = block.value("schema") else { continue };
            let (whole, schema) = match name {
                "tenant" => (&tenant, &tenant),
                name => (&api, &api["components"]["schemas"][name]),
            };
            assert!(schema.is_object(), "docs/{page}:{}: no schema `{name}`", block.line);
            let documents: Vec<Value> = match language {
                "json" => vec![
                    serde_json::from_str(&block.text)
                        .unwrap_or_else(|error| panic!("docs/{page}:{}: {error}", block.line)),
                ],
                _ => yaml(&block.text),
            };
            for document in documents {
                checked += 1;
                let complaints = schema::complaints(whole, schema, &document);
                wrong.extend(
                    complaints
                        .into_iter()
                        .map(|what| format!("docs/{page}:{}: {what}", block.line)),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 5, "only {checked} examples name their schema");
}

fn yaml(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|one| serde_yaml_ng::from_str(one).unwrap()).collect()
}

/// Every code of a problem that the code has is explained, and nothing else is.
#[test]
fn every_code_of_a_problem_is_on_its_page() {
    let codes = fs::read_to_string(root().join("crates/meta/src/codes.rs")).unwrap();
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let table: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let mut known = 0;
    for line in codes.lines() {
        let Some((status, code)) = line
            .trim()
            .split_once(" = ")
            .filter(|_| line.trim_end().ends_with("\";"))
            .and_then(|(_, rest)| rest.split_once(" \""))
            .and_then(|(status, rest)| Some((status, rest.split_once('"')?.0)))
        else {
            continue;
        };
        known += 1;
        let row = format!("| {status} | `{code}` |");
        assert!(table.iter().any(|line| line.starts_with(&row)), "docs/errors.md: no row `{row}`");
    }
    assert!(known > 20, "only {known} codes were found in codes.rs");
}
