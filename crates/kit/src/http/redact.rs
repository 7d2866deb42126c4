//! A path for logs, without values of its query that may be secrets. Pure.

use http::Uri;
use percent_encoding::percent_decode_str;

/// Longest path in a line, in bytes.
const MAX_BYTES: usize = 2_048;
/// What stands for a value.
const HIDDEN: &str = "[redacted]";
/// From this length on a value of letters and digits alone is taken for a token, whatever its name.
const TOKEN_LENGTH: usize = 20;
/// Parts of names whose values are, or may be, secrets: login links, reset links (`key`, `login`),
/// nonces, OAuth (`code`, `state`), signed URLs.
const SECRET: [&str; 20] = [
    "aipress",
    "auth",
    "code",
    "credential",
    "email",
    "hash",
    "jwt",
    "key",
    "login",
    "nonce",
    "otp",
    "pass",
    "pin",
    "pwd",
    "secret",
    "session",
    "sig",
    "state",
    "ticket",
    "token",
];

/// The path and query of `uri`, redacted and cut.
pub fn redacted(uri: &Uri) -> String {
    let mut out = String::with_capacity(uri.path().len() + 1);
    out.push_str(uri.path());
    for (index, pair) in uri.query().unwrap_or_default().split('&').enumerate() {
        if out.len() > MAX_BYTES {
            break;
        }
        if index == 0 {
            if uri.query().is_none() {
                break;
            }
            out.push('?');
        } else {
            out.push('&');
        }
        match pair.split_once('=') {
            Some((name, value)) if is_secret(name, value) => {
                out.push_str(name);
                out.push('=');
                out.push_str(HIDDEN);
            }
            None if looks_like_token(pair) => out.push_str(HIDDEN),
            _ => out.push_str(pair),
        }
    }
    // Cut between characters: a URI may hold any byte that UTF-8 allows.
    let end = out.floor_char_boundary(MAX_BYTES);
    out.truncate(end);
    out
}

/// A URL without what is behind its path: another site's query is nobody's business here, and one's
/// own may hold a secret.
pub fn without_query(url: &str) -> &str {
    url.find(['?', '#']).map_or(url, |at| &url[..at])
}

fn is_secret(name: &str, value: &str) -> bool {
    // As PHP reads it: decoded, with its own idea of which characters are an underscore.
    let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
    let name = name.replace(['.', ' ', '+', '-', '['], "_");
    SECRET.iter().any(|part| name.contains(part)) || looks_like_token(value)
}

fn looks_like_token(value: &str) -> bool {
    value.len() >= TOKEN_LENGTH
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~+/=%".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(uri: &str) -> String {
        super::redacted(&uri.parse().unwrap())
    }

    #[test]
    fn harmless_paths_stay() {
        for uri in ["/", "/a/b.css?ver=6.4.2", "/?p=12&preview=true", "/?s=red+shoes", "/?", "/?a"]
        {
            assert_eq!(redacted(uri), uri);
        }
    }

    #[test]
    fn secrets_go() {
        for (uri, expected) in [
            ("/?aipress_login=abc", "/?aipress_login=[redacted]"),
            ("/?a=1&aipress%5Flogin=abc&b=2", "/?a=1&aipress%5Flogin=[redacted]&b=2"),
            ("/?aipress.login=abc", "/?aipress.login=[redacted]"),
            ("/?%61ipress_Login=abc", "/?%61ipress_Login=[redacted]"),
            (
                "/wp-login.php?action=rp&key=Zx9&login=ann",
                "/wp-login.php?action=rp&key=[redacted]&login=[redacted]",
            ),
            ("/?_wpnonce=1234567890", "/?_wpnonce=[redacted]"),
            ("/?x=a1b2c3d4e5f6a7b8c9d0", "/?x=[redacted]"),
            ("/?a1b2c3d4e5f6a7b8c9d0", "/?[redacted]"),
            ("http://h/cb?code=1&state=2", "/cb?code=[redacted]&state=[redacted]"),
        ] {
            assert_eq!(redacted(uri), expected);
        }
    }

    #[test]
    fn long_paths_are_cut() {
        assert_eq!(redacted(&format!("/{}", "a".repeat(5_000))).len(), MAX_BYTES);
        assert!(redacted(&format!("/?{}", "a=b&".repeat(4_000))).len() <= MAX_BYTES);
    }
}
