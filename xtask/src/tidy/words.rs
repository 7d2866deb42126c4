//! Words that must not be in a commit: marks of unfinished work, and addresses
//! of package mirrors and registries, which differ by machine.

use crate::tree::File;

/// Cut in two, so that this file does not contain them.
const UNFINISHED: &[(&str, &str)] = &[("TO", "DO"), ("FIX", "ME")];
const HOSTS: &[(&str, &str)] = &[
    ("deb.", "debian.org"),
    ("security.", "debian.org"),
    ("ftp.", "debian.org"),
    ("snapshot.", "debian.org"),
    ("archive.", "ubuntu.com"),
    ("security.", "ubuntu.com"),
    ("ports.", "ubuntu.com"),
    ("index.", "crates.io"),
    ("static.", "crates.io"),
    ("registry.", "npmjs.org"),
    ("repo.", "packagist.org"),
];

pub(super) fn check(file: &File, text: &str, findings: &mut Vec<String>) {
    // cargo writes it, and names its one registry in it.
    if file.name() == "Cargo.lock" {
        return;
    }
    for (index, line) in text.lines().enumerate() {
        for (start, end) in UNFINISHED {
            let mark = [*start, *end].concat();
            if line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == mark)
            {
                findings.push(format!(
                    "{}:{}: {mark}: finish it or file an issue",
                    file.path,
                    index + 1
                ));
            }
        }
        for (start, end) in HOSTS {
            let host = [*start, *end].concat();
            if line.contains(&host) {
                findings.push(format!(
                    "{}:{}: {host} is a mirror or registry",
                    file.path,
                    index + 1
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_marks_and_mirrors() {
        let found = |text: &str| {
            let file = File { path: "a.rs".to_owned(), text: None };
            let mut findings = Vec::new();
            check(&file, text, &mut findings);
            findings.len()
        };
        assert_eq!(found(&["// TO", "DO: later"].concat()), 1);
        assert_eq!(found(&["AUTO", "DOX"].concat()), 0);
        assert_eq!(found(&["http://deb.", "debian.org/debian"].concat()), 1);
        assert_eq!(found("https://www.debian.org/"), 0);
    }
}
