//! Every crate takes lints, versions and features from the workspace, so that
//! building one crate alone does not rebuild its dependencies.

use crate::tree::File;

pub(super) fn check(file: &File, text: &str, findings: &mut Vec<String>) {
    if file.name() != "Cargo.toml" || file.path == "Cargo.toml" {
        return;
    }
    if !text.contains("[lints]\nworkspace = true") {
        findings.push(format!("{}: add `[lints]` with `workspace = true`", file.path));
    }
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        }
        let is_dependency =
            section.ends_with("dependencies]") && line.contains('=') && !line.starts_with('#');
        if is_dependency && !line.contains("workspace = true") {
            findings.push(format!("{}:{}: declare it in the workspace", file.path, index + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_workspace() {
        let file = File { path: "crates/kit/Cargo.toml".to_owned(), text: None };
        let mut findings = Vec::new();
        let good = "[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\n[features]\na = []\n";
        check(&file, good, &mut findings);
        assert_eq!(findings, [""; 0]);
        check(&file, "[dev-dependencies]\nserde = \"1\"\n", &mut findings);
        assert_eq!(findings.len(), 2, "{findings:?}");
    }
}
