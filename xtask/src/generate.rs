//! Files that are made from code and checked in, so that a change of them is
//! seen in review. `--check` changes nothing and fails when one is stale.

mod pages;

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::tree::{cargo, output, root};

/// A file and the arguments of `aipress` that print it.
struct Generator {
    file: &'static str,
    arguments: &'static [&'static str],
}

/// One line for each generated file.
const GENERATORS: &[Generator] = &[
    Generator { file: "docs/COMMANDS.md", arguments: &["commands"] },
    Generator { file: "docs/FIELDS.md", arguments: &["fields"] },
    Generator { file: "openapi/meta.json", arguments: &["openapi"] },
    Generator { file: "schema/tenant.json", arguments: &["schema"] },
];

/// Writes what is stale, or with `check` only says so.
pub(crate) fn run(check: bool) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for generator in GENERATORS {
        let fresh =
            print(generator.arguments).with_context(|| format!("generate {}", generator.file))?;
        refresh(generator.file, &fresh, check, &mut findings)?;
    }
    let tables = print(&["tables"]).context("generate the tables of the pages")?;
    for (file, fresh) in pages::fresh(&tables, &mut findings)? {
        refresh(&file, &fresh, check, &mut findings)?;
    }
    Ok(findings)
}

fn refresh(file: &str, fresh: &str, check: bool, findings: &mut Vec<String>) -> Result<()> {
    let path = root().join(file);
    if fs::read_to_string(&path).is_ok_and(|old| old == fresh) {
        return Ok(());
    }
    if check {
        findings.push(format!("{file}: stale; run `make generate`"));
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    fs::write(&path, fresh).with_context(|| format!("write {}", path.display()))?;
    println!("{file} written");
    Ok(())
}

/// What `aipress` prints.
fn print(arguments: &[&str]) -> Result<String> {
    let command: &mut Command = &mut cargo();
    command.args(["run", "--quiet", "--package", "aipress", "--"]).args(arguments);
    let mut text = output(command)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
