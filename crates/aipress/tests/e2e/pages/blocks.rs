//! Fenced blocks of the documents, and what each says about how it is looked at. A block that says
//! nothing is an error, so that no example goes without a test.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Fewest words that are a reason.
const REASON_WORDS: usize = 3;

/// A fenced block of a page.
pub(super) struct Block {
    /// What stands behind the three backticks, in words.
    info: Vec<String>,
    pub(super) text: String,
    /// `docs/logs.md:12`.
    pub(super) place: String,
}

/// What is done with a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Use<'a> {
    /// Typed at a platform; ends with this code.
    Run(u8),
    /// Compared with what the block before it printed.
    Output,
    /// The same, whatever the order of the lines: of steps that are done side by side.
    OutputInAnyOrder,
    /// Checked against the schema of this name.
    Schema(&'a str),
    /// Read as `config.json` of a platform.
    Settings,
    /// Read as `config.yaml` of a person.
    Config,
    /// Run by the test in this file.
    TestedBy(&'a str),
    /// Printed by a generator whose own test looks at it.
    Generated,
    /// Shows how something is laid out: nothing that could be typed.
    Layout,
    /// Not run, for a reason.
    NotRun,
}

impl Block {
    pub(super) fn language(&self) -> &str {
        self.info.first().map_or("", String::as_str)
    }

    /// What is done with it.
    ///
    /// # Errors
    /// With what is wrong with its first line.
    pub(super) fn usage(&self) -> Result<Use<'_>, String> {
        let words: Vec<&str> = self.info.iter().map(String::as_str).collect();
        let wrong =
            || format!("{}: how is `{}` tested? See docs/README.md", self.place, words.join(" "));
        match words.as_slice() {
            ["sh", "run"] => Ok(Use::Run(0)),
            ["sh", "run", exit] => {
                let code = exit.strip_prefix("exit=").and_then(|code| code.parse().ok());
                code.map(Use::Run).ok_or_else(wrong)
            }
            ["text", "output"] => Ok(Use::Output),
            ["text", "output", "any-order"] => Ok(Use::OutputInAnyOrder),
            ["json", "settings"] => Ok(Use::Settings),
            ["yaml", "config"] => Ok(Use::Config),
            ["sh" | "text", "generated"] => Ok(Use::Generated),
            ["mermaid"] | ["text", "layout"] => Ok(Use::Layout),
            [_, "not-run:", reason @ ..] if reason.len() >= REASON_WORDS => Ok(Use::NotRun),
            ["json" | "yaml", value] if value.starts_with("schema=") => {
                Ok(Use::Schema(&value["schema=".len()..]))
            }
            [_, value] if value.starts_with("tested-by=") => {
                Ok(Use::TestedBy(&value["tested-by=".len()..]))
            }
            _ => Err(wrong()),
        }
    }
}

/// The top of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every page of the repository by its path, in the order of the alphabet.
pub(super) fn pages() -> Vec<(String, Vec<Block>)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(listed.status.success(), "git: {}", String::from_utf8_lossy(&listed.stderr));
    let mut paths: Vec<String> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .filter(|path| root().join(path).exists())
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    assert!(paths.iter().any(|path| path == "README.md"), "{paths:?}");
    let read = |path: String| {
        let blocks = blocks(&path, &fs::read_to_string(root().join(&path)).unwrap());
        (path, blocks)
    };
    paths.into_iter().map(read).collect()
}

fn blocks(path: &str, page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                let place = format!("{path}:{}", number + 1);
                open = Some(Block { info, text: String::new(), place });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{path}: a block is never closed");
    blocks
}

#[test]
fn what_a_block_says_is_understood() {
    let page = "```sh run exit=3\na\n```\n```sh\n```\n```sh not-run: why\n```\n\
                ```json schema=X\n```\n```sh not-run: it needs root\n```\n";
    let blocks = blocks("a.md", page);
    let uses: Vec<_> = blocks.iter().map(|block| block.usage().ok()).collect();
    let expected = [Some(Use::Run(3)), None, None, Some(Use::Schema("X")), Some(Use::NotRun)];
    assert_eq!(uses, expected);
    assert_eq!((blocks[0].text.as_str(), blocks[1].place.as_str()), ("a\n", "a.md:4"));
}
