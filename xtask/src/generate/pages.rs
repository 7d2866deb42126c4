//! The tables in the pages of `docs/`. A page asks for rows between two lines of its own:
//! `<!-- commands: tenant, apply -->` and `<!-- end -->` (a command, or all below a noun), and
//! `<!-- calls: /v1/tenants -->` (a path, and all below it), `<!-- events: tenant -->` (kinds of events),
//! `<!-- settings: all -->`. Every row must be asked for by a page, so that none goes without.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::tree::root;

const END: &str = "<!-- end -->";
/// Lists everything, so it does not count as a page of anything.
const WHOLE: &str = "docs/API.md";

/// Rows of a kind.
struct Table {
    kind: &'static str,
    head: &'static str,
    /// What stands between a name and one below it.
    separator: char,
    /// Names and rows.
    rows: Vec<(String, String)>,
}

impl Table {
    fn new(tables: &Value, kind: &'static str, head: &'static str, separator: char) -> Self {
        let rows = tables[kind].as_array().into_iter().flatten();
        let rows = rows
            .filter_map(|row| {
                Some((row["name"].as_str()?.to_owned(), row["row"].as_str()?.to_owned()))
            })
            .collect();
        Self { kind, head, separator, rows }
    }

    /// Places of the rows that are meant by `name`.
    fn asked(&self, name: &str) -> Vec<usize> {
        let is_meant = |row: &str| {
            row.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(self.separator))
        };
        (0..self.rows.len()).filter(|at| is_meant(&self.rows[*at].0)).collect()
    }
}

/// Pages with fresh tables, by path. What no page tells of, or what a page asks for in vain, is a
/// finding.
pub(super) fn fresh(tables: &str, findings: &mut Vec<String>) -> Result<Vec<(String, String)>> {
    let tables: Value = serde_json::from_str(tables).context("read the rows")?;
    let tables = [
        Table::new(
            &tables,
            "commands",
            "| command | what it does | flags |\n| --- | --- | --- |",
            ' ',
        ),
        Table::new(
            &tables,
            "calls",
            "| call | what it does | query | answers |\n| --- | --- | --- | --- |",
            '/',
        ),
        Table::new(&tables, "events", "| kind | when | `data` |\n| --- | --- | --- |", '.'),
        Table::new(
            &tables,
            "settings",
            "| setting | default | what it does |\n| --- | --- | --- |",
            '.',
        ),
    ];
    let mut told = BTreeSet::new();
    let mut pages = Vec::new();
    for entry in fs::read_dir(root().join("docs")).context("list docs")? {
        let name = entry.context("list docs")?.file_name();
        let path = format!("docs/{}", name.to_string_lossy());
        if !path.ends_with(".md") {
            continue;
        }
        let old = fs::read_to_string(root().join(&path)).with_context(|| format!("read {path}"))?;
        let (new, rows) = filled(&path, &old, &tables, findings)?;
        if path != WHOLE {
            told.extend(rows);
        }
        pages.push((path, new));
    }
    for table in &tables {
        for (at, (name, _)) in table.rows.iter().enumerate() {
            if !told.contains(&(table.kind, at)) {
                let kind = table.kind;
                findings
                    .push(format!("docs: no page has a table `<!-- {kind}: … -->` with `{name}`"));
            }
        }
    }
    pages.sort();
    Ok(pages)
}

type Rows = BTreeSet<(&'static str, usize)>;

/// A page with its tables filled, and which rows it has.
fn filled(
    path: &str,
    page: &str,
    tables: &[Table],
    findings: &mut Vec<String>,
) -> Result<(String, Rows)> {
    let mut text = String::new();
    let mut told = Rows::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let asked = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        let asked = asked.and_then(|asked| asked.split_once(": "));
        let Some((table, names)) = asked.and_then(|(kind, names)| {
            Some((tables.iter().find(|table| table.kind == kind)?, names))
        }) else {
            continue;
        };
        if !lines.any(|line| line == END) {
            bail!("{path}: `{line}` without `{END}`");
        }
        text.push_str(table.head);
        text.push('\n');
        for name in names.split(", ") {
            let rows = table.asked(name);
            if rows.is_empty() {
                findings.push(format!("{path}: `{line}`: there is no `{name}`"));
            }
            for at in rows {
                told.insert((table.kind, at));
                text.push_str(&table.rows[at].1);
                text.push('\n');
            }
        }
        text.push_str(END);
        text.push('\n');
    }
    Ok((text, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gets_the_rows_that_it_asks_for() {
        let rows = ["tenant list", "tenant logs", "tenants"];
        let rows = rows.map(|name| (name.to_owned(), format!("| {name} |"))).to_vec();
        let tables = [Table { kind: "commands", head: "| head |", separator: ' ', rows }];
        let mut findings = Vec::new();
        let page = "# A\n<!-- commands: tenant -->\nold\n<!-- end -->\nb\n";
        let (text, told) = filled("a.md", page, &tables, &mut findings).unwrap();
        let fresh = "| head |\n| tenant list |\n| tenant logs |\n";
        assert_eq!(text, page.replace("old\n", fresh));
        assert_eq!(told.len(), 2);
        assert_eq!(filled("a.md", &text, &tables, &mut findings).unwrap().0, text);
        assert_eq!(findings, [""; 0]);
        filled("a.md", "<!-- commands: gone -->\n<!-- end -->\n", &tables, &mut findings).unwrap();
        assert_eq!(findings.len(), 1);
        assert!(filled("a.md", "<!-- commands: tenant -->\n", &tables, &mut findings).is_err());
    }
}
