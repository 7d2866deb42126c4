//! Reads the machine's apt sources, in the one-line and the deb822 format
//! (`sources.list(5)`).
//!
//! Only what names an archive is taken over: address, suites, components, keyring.
//! An option that weakens verification (`trusted=yes`) is not.

use std::path::{Path, PathBuf};

use crate::error::CoreError;

use super::control::paragraphs;

/// A source of binary packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) uri: String,
    pub(super) suites: Vec<String>,
    /// The keyring's path, fingerprints, or the key itself (several lines);
    /// `None` for the machine's trusted keys.
    pub(super) signed_by: Option<String>,
}

/// The sources named in `etc_apt` (`sources.list` and `sources.list.d`), in
/// apt's order.
pub(super) fn read(etc_apt: &Path) -> Result<Vec<Source>, CoreError> {
    let mut files = vec![etc_apt.join("sources.list")];
    let parts = etc_apt.join("sources.list.d");
    if let Ok(entries) = std::fs::read_dir(&parts) {
        let mut more: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        more.sort();
        files.extend(more);
    }
    let mut sources = Vec::new();
    for file in files {
        let parse = match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => one_line,
            Some("sources") => deb822,
            _ => continue,
        };
        match std::fs::read_to_string(&file) {
            Ok(text) => sources.extend(parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(CoreError::io("read", &file)(error)),
        }
    }
    Ok(sources)
}

/// `deb [option=value …] uri suite component…`
fn one_line(text: &str) -> Vec<Source> {
    text.lines().filter_map(one_line_source).collect()
}

fn one_line_source(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let (options, rest) = match rest.trim_start().strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options
        .split_whitespace()
        .find_map(|option| option.strip_prefix("signed-by="))
        .map(|value| value.replace(',', " "));
    let mut words = rest.split_whitespace();
    let source =
        Source { uri: words.next()?.to_owned(), suites: vec![words.next()?.to_owned()], signed_by };
    source.is_usable().then_some(source)
}

fn deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for paragraph in paragraphs(text) {
        let off = matches!(paragraph.get("Enabled"), Some("no" | "false" | "off" | "0"));
        if off || !paragraph.words("Types").iter().any(|kind| kind == "deb") {
            continue;
        }
        for uri in paragraph.words("URIs") {
            let signed_by = paragraph.get("Signed-By").map(str::to_owned);
            sources.push(Source { uri, suites: paragraph.words("Suites"), signed_by });
        }
    }
    sources.retain(Source::is_usable);
    sources
}

impl Source {
    /// Not a disc that would have to be put in, nor a flat repository.
    fn is_usable(&self) -> bool {
        !self.uri.starts_with("cdrom:") && !self.suites.iter().any(|suite| suite.ends_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_line_sources() {
        let text = "# comment\n\
            deb http://mirror.test/debian bookworm main contrib # more\n\
            deb-src http://mirror.test/debian bookworm main\n\
            deb [arch=amd64 signed-by=/k/a.gpg trusted=yes] http://mirror.test/debian sid main\n\
            deb cdrom:[Debian 12]/ bookworm main\n\
            deb http://mirror.test/flat ./\n";
        let sources = one_line(text);
        assert_eq!(sources.len(), 2, "{sources:?}");
        assert_eq!(sources[0].uri, "http://mirror.test/debian");
        assert_eq!(sources[0].suites, ["bookworm"]);
        assert_eq!(sources[0].signed_by, None);
        assert_eq!(sources[1].signed_by.as_deref(), Some("/k/a.gpg"));
    }

    #[test]
    fn reads_deb822_sources() {
        let text = "Types: deb deb-src\nURIs: http://mirror.test/debian http://second.test/debian\n\
            # a comment\nSuites: bookworm bookworm-updates\nComponents: main\nTrusted: yes\n\
            Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ==\n\n\
            Types: deb\nURIs: http://off.test/debian\nSuites: sid\nEnabled: no\n";
        let sources = deb822(text);
        assert_eq!(sources.len(), 2, "{sources:?}");
        assert_eq!(sources[0].suites, ["bookworm", "bookworm-updates"]);
        let key = sources[0].signed_by.as_deref().expect("key");
        assert!(key.starts_with("\n -----BEGIN") && key.ends_with("\n mQ=="), "{key:?}");
        assert_eq!(sources[1].uri, "http://second.test/debian");
    }

    #[test]
    fn reads_both_formats_of_a_machine() {
        let etc = tempfile::tempdir().expect("folder");
        std::fs::create_dir(etc.path().join("sources.list.d")).expect("folder");
        std::fs::write(etc.path().join("sources.list"), "deb http://a.test/debian sid main\n")
            .expect("write");
        let other = "Types: deb\nURIs: http://b.test/ubuntu\nSuites: noble\n";
        std::fs::write(etc.path().join("sources.list.d/b.sources"), other).expect("write");
        std::fs::write(etc.path().join("sources.list.d/c.sources.save"), other).expect("write");
        let uris: Vec<_> = read(etc.path()).expect("read").into_iter().map(|s| s.uri).collect();
        assert_eq!(uris, ["http://a.test/debian", "http://b.test/ubuntu"]);
    }
}
