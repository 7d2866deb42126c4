//! Sizes, and the first line of each file.

use std::collections::BTreeMap;

use crate::tree::File;

/// A file that is read in one go.
const MAX_FILE: usize = 500;
/// Longer tests go into `foo/tests.rs`.
const MAX_INLINE_TESTS: usize = 150;
/// A crate that one person can know.
const MAX_CRATE: usize = 17_000;
const MAX_ARCHITECTURE: usize = 250;

pub(super) fn check(file: &File, text: &str, findings: &mut Vec<String>) {
    if file.path == "ARCHITECTURE.md" && text.lines().count() > MAX_ARCHITECTURE {
        findings.push(format!("{}: over {MAX_ARCHITECTURE} lines", file.path));
    }
    let is_rust = file.path.ends_with(".rs");
    if is_rust && !text.starts_with("//!") {
        findings.push(format!("{}:1: says nothing of itself; start it with `//!`", file.path));
    }
    if file.is_test() || !(is_rust || file.path.ends_with(".php")) {
        return;
    }
    let (production, tests) = sizes(text);
    if production > MAX_FILE {
        findings.push(format!(
            "{}: {production} lines without tests, {MAX_FILE} are allowed",
            file.path
        ));
    }
    if tests > MAX_INLINE_TESTS {
        findings.push(format!("{}: {tests} lines of tests; move them to a tests.rs", file.path));
    }
}

/// Crates that grew too large.
pub(super) fn check_crates(files: &[File], findings: &mut Vec<String>) {
    let mut crates: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs") && !file.is_test()) {
        if let Some(name) =
            file.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next())
        {
            *crates.entry(name).or_default() +=
                file.text.as_deref().map_or(0, |text| sizes(text).0);
        }
    }
    for (name, size) in crates.into_iter().filter(|(_, size)| *size > MAX_CRATE) {
        findings
            .push(format!("crates/{name}: {size} lines without tests, {MAX_CRATE} are allowed"));
    }
}

/// Lines before an inline module of tests, and lines of it.
fn sizes(text: &str) -> (usize, usize) {
    let lines: Vec<&str> = text.lines().collect();
    let is_start = |index: &usize| {
        lines[*index] == "#[cfg(test)]"
            && lines
                .get(index + 1)
                .is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'))
    };
    let production = (0..lines.len()).find(is_start).unwrap_or(lines.len());
    (production, lines.len() - production)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        assert_eq!(sizes("//! a\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), (3, 3));
        assert_eq!(sizes("//! a\n#[cfg(test)]\nmod tests;\n"), (3, 0));
    }

    #[test]
    fn a_file_says_what_it_is() {
        let file = File { path: "a.rs".to_owned(), text: None };
        let mut findings = Vec::new();
        check(&file, "//! A file.\n", &mut findings);
        assert_eq!(findings, [""; 0]);
        check(&file, "fn main() {}\n", &mut findings);
        assert_eq!(findings.len(), 1);
    }
}
