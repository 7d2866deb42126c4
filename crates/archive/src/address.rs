//! The address of a site in texts: found where it stands as an address, in each of the ways that
//! WordPress and its plugins write one down, and nowhere else.

use memchr::memmem::Finder;

/// How a slash and a colon are written: plainly, in JSON (`\/`), in JSON within JSON, in the query
/// of an address.
const WAYS: &[(&str, &str)] = &[
    ("/", ":"),
    (r"\/", ":"),
    (r"\\/", ":"),
    (r"\\\/", ":"),
    ("%2F", "%3A"),
    ("%2f", "%3a"),
    ("%252F", "%253A"),
];

/// A change of address, such as `http://bakery.localhost` to `https://bakery.example`.
#[derive(Debug, Clone)]
pub struct AddressChange {
    hosts: Vec<(Vec<u8>, Vec<Form>)>,
}

/// One old address in one way of writing.
#[derive(Debug, Clone)]
struct Form {
    /// What stands before the host: two slashes.
    slashes: Vec<u8>,
    /// Host, port and path of the old address.
    old: Vec<u8>,
    colon: Vec<u8>,
    /// The new address behind its scheme's colon.
    new: Vec<u8>,
    scheme: Vec<u8>,
}

impl AddressChange {
    /// The change of any of the `old` addresses to `new`; `None` when there is nothing to change.
    /// Addresses are without a slash at the end.
    pub fn new(old: &[&str], new: &str) -> Option<Self> {
        let (scheme, rest) = new.trim_end_matches('/').split_once("://")?;
        let mut olds: Vec<&str> = old
            .iter()
            .filter_map(|old| old.split_once("://"))
            .map(|(old_scheme, old)| (old_scheme, old.trim_end_matches('/')))
            .filter(|(old_scheme, old)| !old.is_empty() && (*old_scheme != scheme || *old != rest))
            .map(|(_, old)| old)
            .collect();
        // The longest first: `example.org/blog` before `example.org`.
        olds.sort_by_key(|old| std::cmp::Reverse(old.len()));
        olds.dedup();
        let mut hosts: Vec<(Vec<u8>, Vec<Form>)> = Vec::new();
        for old in olds {
            let host = old.split(['/', ':']).next().unwrap_or(old).as_bytes().to_vec();
            let forms = WAYS.iter().map(|(slash, colon)| {
                let write = |text: &str| text.replace(':', colon).replace('/', slash).into_bytes();
                Form {
                    slashes: slash.repeat(2).into_bytes(),
                    old: write(old),
                    colon: colon.as_bytes().to_vec(),
                    new: [slash.repeat(2).into_bytes(), write(rest)].concat(),
                    scheme: scheme.as_bytes().to_vec(),
                }
            });
            match hosts.iter_mut().find(|(known, _)| *known == host) {
                Some((_, known)) => known.extend(forms),
                None => hosts.push((host, forms.collect())),
            }
        }
        (!hosts.is_empty()).then_some(Self { hosts })
    }

    /// Whether a text may have the old address; quick, and right when it says no.
    pub fn may_be_in(&self, text: &[u8]) -> bool {
        self.hosts.iter().any(|(host, _)| Finder::new(host).find(text).is_some())
    }

    /// The text with the new address; `None` when the old one is not in it.
    pub fn apply(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut found: Option<Vec<u8>> = None;
        for (host, forms) in &self.hosts {
            let current = found.as_deref().unwrap_or(text);
            if let Some(next) = replace(current, host, forms) {
                found = Some(next);
            }
        }
        found
    }
}

fn replace(text: &[u8], host: &[u8], forms: &[Form]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut copied = 0;
    for at in Finder::new(host).find_iter(text) {
        if at < copied {
            continue;
        }
        let (before, after) = (text.get(copied..at)?, text.get(at..)?);
        let Some(form) = forms.iter().find(|form| {
            before.ends_with(&form.slashes)
                && after.starts_with(&form.old)
                && ends(after.get(form.old.len()..).unwrap_or_default())
        }) else {
            continue;
        };
        let before = before.strip_suffix(&*form.slashes).unwrap_or(before);
        // With a scheme it gets the new one; without (`//host`) it stays so.
        let bare = before
            .strip_suffix(&*form.colon)
            .and_then(|bare| bare.strip_suffix(b"https").or_else(|| bare.strip_suffix(b"http")));
        match bare {
            Some(bare) => {
                out.extend_from_slice(bare);
                out.extend_from_slice(&form.scheme);
                out.extend_from_slice(&form.colon);
            }
            None => out.extend_from_slice(before),
        }
        out.extend_from_slice(&form.new);
        copied = at + form.old.len();
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(text.get(copied..)?);
    Some(out)
}

/// Whether an address may end where this follows: not within a longer host, port or path's part.
fn ends(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [byte, ..] if byte.is_ascii_alphanumeric() || *byte >= 0x80 => false,
        [b'-' | b'_', ..] => false,
        [b'.', next, ..] => !next.is_ascii_alphanumeric(),
        [b':', next, ..] => !next.is_ascii_digit(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str) -> String {
        let old = ["http://old.example", "http://old.example/blog"];
        let change = AddressChange::new(&old, "https://new.example:8080").unwrap();
        let changed = change.apply(text.as_bytes());
        changed.map_or_else(|| text.to_owned(), |bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn an_address_is_found_in_each_way_of_writing_it() {
        for (text, wanted) in [
            ("http://old.example", "https://new.example:8080"),
            ("https://old.example/a?b#c", "https://new.example:8080/a?b#c"),
            ("see http://old.example.", "see https://new.example:8080."),
            ("<a href='//old.example/x'>", "<a href='//new.example:8080/x'>"),
            (r#"{"u":"http:\/\/old.example\/a"}"#, r#"{"u":"https:\/\/new.example:8080\/a"}"#),
            (r"http:\\\/\\\/old.example\\\/a", r"https:\\\/\\\/new.example:8080\\\/a"),
            ("u=http%3A%2F%2Fold.example%2Fa", "u=https%3A%2F%2Fnew.example%3A8080%2Fa"),
            ("http://old.example/blog/x", "https://new.example:8080/x"),
            (r"http:\/\/old.example\/blog\/x", r"https:\/\/new.example:8080\/x"),
            (
                "http://old.example http://old.example",
                "https://new.example:8080 https://new.example:8080",
            ),
        ] {
            assert_eq!(changed(text), wanted);
        }
    }

    #[test]
    fn what_only_looks_like_it_stays() {
        for text in [
            "http://old.example.org/",
            "http://old.example2",
            "http://old.example-x/",
            "http://old.example:81/",
            "me@old.example",
            "http://sub.old.example/",
            "old.example",
            "http://olden.example",
        ] {
            assert_eq!(changed(text), text);
        }
    }

    #[test]
    fn an_address_that_stays_is_no_change() {
        assert!(AddressChange::new(&["http://a.b", "http://a.b/"], "http://a.b").is_none());
        assert!(AddressChange::new(&["https://a.b"], "http://a.b").is_some());
    }
}
