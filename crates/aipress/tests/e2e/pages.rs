//! The documents: every block says how it is looked at. What says `run` is typed at a real platform,
//! in order; what is shown as its output is what it prints; examples of JSON or YAML that name their
//! schema have that form. `docs/README.md` tells writers how.

mod blocks;
mod help_examples;
mod output;
mod run;
mod schema;

use std::fs;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use serde_json::Value;

use crate::options;
use blocks::Block;
use blocks::Use;
use blocks::pages;
use blocks::root;

#[test]
fn every_block_says_how_it_is_tested() {
    let mut wrong = Vec::new();
    for (_, blocks) in pages() {
        for block in &blocks {
            match block.usage() {
                Err(error) => wrong.push(error),
                Ok(Use::TestedBy(test)) => {
                    let page = block.place.split(':').next().unwrap();
                    let text = fs::read_to_string(root().join(test)).unwrap_or_default();
                    if !text.contains(page) {
                        wrong.push(format!("{}: {test} says nothing of {page}", block.place));
                    }
                }
                Ok(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_examples_of_the_documents_run() {
    let platform = Platform::new(PlatformOptions { hello: true, ..options() });
    it_comes_up_as_the_readme_shows(&platform).await;
    let (mut pages_run, mut wrong) = (Vec::new(), Vec::new());
    for (page, blocks) in pages() {
        let started = std::time::Instant::now();
        match run::page(&platform, &page, &blocks).await {
            Ok(false) => {}
            Ok(true) => {
                run::clean_up(&platform).await;
                println!("{page}: {:?}", started.elapsed());
                pages_run.push(page);
            }
            Err(error) => {
                run::clean_up(&platform).await;
                wrong.push(error);
            }
        }
        settings_are_taken(&platform, &blocks).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(pages_run.len() >= 18, "only {pages_run:?} have blocks that run");
}

/// What `README.md` shows as the end of `make up`, from where the platform starts.
async fn it_comes_up_as_the_readme_shows(platform: &Platform) {
    let told = platform.up().await.good();
    let pages = pages();
    let mut blocks = pages.iter().filter(|(page, _)| page == "README.md").flat_map(|(_, b)| b);
    let shown = blocks.find(|block| block.text.contains("AIPress is up.")).unwrap();
    let (_, shown) = shown.text.split_once("Starting the platform").unwrap();
    let shown = run::here(platform, &format!("Starting the platform{shown}"));
    let difference = output::difference(&shown, &format!("{}{}", told.err, told.out));
    assert_eq!(difference, None, "README.md");
}

/// Files of configuration are read by the commands that tell of them.
async fn settings_are_taken(platform: &Platform, blocks: &[Block]) {
    for block in blocks {
        let folder = platform.home().join("settings");
        let shown = folder.display().to_string();
        let (file, args) = match block.usage() {
            Ok(Use::Settings) => ("config.json", ["settings", "list"]),
            Ok(Use::Config) => ("aipress/config.yaml", ["config", "view"]),
            _ => continue,
        };
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &block.text).unwrap();
        let variables = [("AIPRESS_DATA", shown.as_str()), ("XDG_CONFIG_HOME", &shown)];
        let told = platform.cli_in(&args, &variables).await;
        assert_eq!(told.code, 0, "{}: {}", block.place, told.err);
    }
}

#[test]
fn the_examples_of_the_documents_have_the_form_that_they_name() {
    let read = |path: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
    };
    let (api, tenant) = (read("openapi/meta.json"), read("schema/tenant.json"));
    let mut checked = 0;
    let mut wrong = Vec::new();
    let pages = pages();
    for block in pages.iter().flat_map(|(_, blocks)| blocks) {
        let Ok(Use::Schema(name)) = block.usage() else { continue };
        let place = &block.place;
        let (whole, schema) = match name {
            "tenant" => (&tenant, &tenant),
            name => (&api, &api["components"]["schemas"][name]),
        };
        assert!(schema.is_object(), "{place}: no schema `{name}`");
        let documents: Vec<Value> = match block.language() {
            "json" => {
                let document = serde_json::from_str(&block.text);
                vec![document.unwrap_or_else(|error| panic!("{place}: {error}"))]
            }
            _ => yaml(&block.text),
        };
        for document in documents {
            checked += 1;
            let complaints = schema::complaints(whole, schema, &document);
            wrong.extend(complaints.into_iter().map(|what| format!("{place}: {what}")));
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
