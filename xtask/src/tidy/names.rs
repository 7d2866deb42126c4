//! File names say what is in the file.

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
}
