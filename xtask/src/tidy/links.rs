//! Every link in a Markdown file that stays within the repository leads to a file, and its part
//! behind `#` to a heading there (named as GitHub does). Addresses elsewhere are not looked up.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::tree::File;

/// Links that lead nowhere.
pub(super) fn check(files: &[File], findings: &mut Vec<String>) {
    let mut places: BTreeSet<String> = BTreeSet::new();
    for file in files {
        let mut path = file.path.as_str();
        places.insert(path.to_owned());
        while let Some((folder, _)) = path.rsplit_once('/') {
            places.insert(folder.to_owned());
            path = folder;
        }
    }
    let pages: BTreeMap<&str, &str> = files
        .iter()
        .filter(|file| file.path.ends_with(".md"))
        .filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
        .collect();
    for (page, text) in &pages {
        for (line, target) in links(text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { (*page).to_owned() } else { resolved(page, path) };
            if !places.contains(&path) {
                findings.push(format!("{page}:{line}: `{target}` leads to no file"));
            } else if let Some(text) = pages.get(path.as_str())
                && !anchor.is_empty()
                && !anchors(text).contains(anchor)
            {
                findings.push(format!("{page}:{line}: {path} has no heading `#{anchor}`"));
            }
        }
    }
}

/// Lines of a page outside of fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.starts_with("```");
        fenced ^= is_fence;
        (!fenced && !is_fence).then_some((index + 1, line))
    })
}

/// Targets of `[words](target)`, each with its line.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else { break };
            links.push((number, target));
            rest = after;
        }
    }
    links
}

/// `docs/API.md` and `../README.md` give `README.md`.
fn resolved(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What GitHub makes of a page's headings; a second heading of the same words gets `-1`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter_map(|(_, line)| {
        let words = line.trim_start_matches('#');
        (words.len() < line.len()).then(|| words.strip_prefix(' '))?
    });
    headings
        .map(|words| {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let slug: String = words.trim().to_lowercase().chars().filter(kept).collect();
            let slug = slug.replace(' ', "-");
            let count = seen.entry(slug.clone()).or_default();
            *count += 1;
            if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pages: &[(&str, &str)]) -> Vec<String> {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: Some((*text).into()) };
        let files: Vec<File> = pages.iter().map(file).collect();
        let mut findings = Vec::new();
        check(&files, &mut findings);
        findings
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        let readme =
            ("README.md", "# The `house`, again\n[a](docs/a.md#b-c) [d](docs) [e](http://x/y)");
        assert_eq!(
            found(&[readme, ("docs/a.md", "## B c\n[up](../README.md#the-house-again)")]),
            [""; 0]
        );
        assert_eq!(found(&[readme, ("docs/a.md", "## B d")]).len(), 1);
        assert_eq!(
            found(&[readme, ("docs/b.md", "[gone](c.md)\n```\n[code](c.md)\n```")]).len(),
            2
        );
    }
}
