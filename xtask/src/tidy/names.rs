//! File names say what is in the file.

use std::collections::BTreeMap;

use crate::tree::File;

/// Names under which anything could be put.
const REFUSED: &[&str] =
    &["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"];

pub(super) fn check(file: &File, findings: &mut Vec<String>) {
    let words = file.path.split(['/', '.', '-', '_']);
    for word in words.filter(|word| REFUSED.contains(&word.to_ascii_lowercase().as_str())) {
        findings.push(format!("{}: `{word}` says nothing; name it by what it holds", file.path));
    }
}

/// Two files that are one where a file system knows no capital letters.
pub(super) fn check_case(files: &[File], findings: &mut Vec<String>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for file in files {
        if let Some(other) = seen.insert(file.path.to_lowercase(), &file.path) {
            findings.push(format!("{}: differs from {other} by capital letters only", file.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_for_anything() {
        let count = |path: &str| {
            let mut findings = Vec::new();
            check(&File { path: path.to_owned(), text: None }, &mut findings);
            findings.len()
        };
        assert_eq!(count("crates/kit/src/http_utils.rs"), 1);
        assert_eq!(count("crates/kit/tests/common/mod.rs"), 1);
        assert_eq!(count("crates/kit/src/managed.rs"), 0);
    }

    #[test]
    fn refuses_names_that_differ_by_case_only() {
        let files = ["docs/A.md", "docs/a.md", "docs/b.md"]
            .map(|path| File { path: path.to_owned(), text: None });
        let mut findings = Vec::new();
        check_case(&files, &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
    }
}
