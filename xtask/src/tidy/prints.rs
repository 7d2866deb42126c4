//! Macros that panic when what they print can't be written: a disk that is full would end a role, or a
//! command whose work is done.

use crate::tree::File;

const MACROS: [&str; 4] = ["println!(", "eprintln!(", "print!(", "eprint!("];
/// What runs on a platform that somebody's sites depend on; tests, benchmarks and this program don't.
const TOOLS: [&str; 3] = ["crates/bench/", "crates/testkit/", "crates/supervise/probe/"];

pub(super) fn check(file: &File, text: &str, findings: &mut Vec<String>) {
    let is_production = file.path.starts_with("crates/")
        && file.path.ends_with(".rs")
        && !file.is_test()
        && !TOOLS.iter().any(|tool| file.path.starts_with(tool));
    if !is_production {
        return;
    }
    let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    for (index, line) in production.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let begins = |name: &&&str| {
            code.match_indices(*name).any(|(at, _)| {
                !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            })
        };
        if let Some(name) = MACROS.iter().find(begins) {
            findings.push(format!(
                "{}:{}: `{name}…)` panics where nothing can be written; use `output` or `write!`",
                file.path,
                index + 1
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_panics_on_a_full_disk() {
        let count = |path: &str, text: &str| {
            let mut findings = Vec::new();
            check(&File { path: path.to_owned(), text: None }, text, &mut findings);
            findings.len()
        };
        let text =
            "fn a() {\n    eprintln!(\"b\");\n    print!(\"c\");\n    writeln!(d, \"e\");\n}\n";
        assert_eq!(count("crates/kit/src/a.rs", text), 2);
        assert_eq!(count("crates/kit/src/a.rs", "// not println!(\"b\")\n"), 0);
        let inline = format!("fn b() {{}}\n#[cfg(test)]\nmod tests {{\n{text}}}\n");
        assert_eq!(count("crates/kit/src/a.rs", &inline), 0);
        for path in ["crates/kit/tests/a.rs", "crates/bench/src/a.rs", "xtask/src/a.rs"] {
            assert_eq!(count(path, text), 0, "{path}");
        }
    }
}
