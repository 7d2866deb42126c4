//! House rules that neither compiler nor clippy checks. Each prints
//! `path:line: what is wrong`, so that an editor jumps there.

mod lines;
mod links;
mod manifests;
mod names;
mod prints;
mod words;

use anyhow::Result;

use crate::layers;
use crate::tree;

/// Everything that is against the rules.
pub(crate) fn run() -> Result<Vec<String>> {
    let files = tree::files()?;
    let mut findings = Vec::new();
    for file in &files {
        names::check(file, &mut findings);
        if let Some(text) = &file.text {
            lines::check(file, text, &mut findings);
            prints::check(file, text, &mut findings);
            words::check(file, text, &mut findings);
            manifests::check(file, text, &mut findings);
        }
    }
    lines::check_crates(&files, &mut findings);
    links::check(&files, &mut findings);
    names::check_case(&files, &mut findings);
    findings.extend(layers::check()?);
    Ok(findings)
}
