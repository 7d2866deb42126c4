//! A tenant's name: an RFC 1123 label that becomes a host name, chosen once.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

/// Shortest name, in characters.
pub const NAME_MIN: usize = 3;
/// Longest name, in characters (an RFC 1123 label may have 63; ours leave room for prefixes).
pub const NAME_MAX: usize = 40;

/// Names that would collide with the platform's own hosts or mislead visitors.
pub const RESERVED: &[&str] = &[
    "abuse",
    "account",
    "accounts",
    "admin",
    "administrator",
    "aipress",
    "api",
    "app",
    "assets",
    "auth",
    "autoconfig",
    "autodiscover",
    "billing",
    "blog-admin",
    "cdn",
    "console",
    "dashboard",
    "dns",
    "edge",
    "ftp",
    "git",
    "grafana",
    "health",
    "help",
    "hostmaster",
    "imap",
    "internal",
    "localhost",
    "login",
    "mail",
    "mcp",
    "media",
    "meta",
    "metrics",
    "mysql",
    "noreply",
    "ns1",
    "ns2",
    "oauth",
    "operator",
    "pop",
    "postmaster",
    "prometheus",
    "redis",
    "root",
    "security",
    "sftp",
    "shard",
    "smtp",
    "sso",
    "staging",
    "static",
    "status",
    "support",
    "system",
    "webmail",
    "webmaster",
    "wp-admin",
    "wpad",
    "www",
];

/// The chosen name of a tenant: 3–40 characters of `a-z`, `0-9` and `-`, starting and ending with
/// a letter or digit (RFC 1123 section 2.1, lower case only), not reserved, not a punycode label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TenantName(String);

/// Why a text is no tenant name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Too short or too long.
    #[error("a name has {NAME_MIN} to {NAME_MAX} characters, this one has {0}")]
    Length(usize),
    /// A character that no RFC 1123 label has, or an upper-case letter.
    #[error("a name has only a-z, 0-9 and -, not `{0}`")]
    Character(char),
    /// Starts or ends with a hyphen.
    #[error("a name starts and ends with a letter or a digit")]
    Hyphen,
    /// `xn--…` and the like (RFC 5891 section 4.2.3.1).
    #[error("a name must not have hyphens in its third and fourth place")]
    Punycode,
    /// On the list of reserved names.
    #[error("the name `{0}` is reserved")]
    Reserved(String),
}

impl TenantName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let length = text.chars().count();
        if !(NAME_MIN..=NAME_MAX).contains(&length) {
            return Err(NameError::Length(length));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if let Some(wrong) = text.chars().find(|c| !allowed(*c)) {
            return Err(NameError::Character(wrong));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(NameError::Hyphen);
        }
        if text.get(2..4) == Some("--") {
            return Err(NameError::Punycode);
        }
        // Names of one shard's processes and hosts stay ours, too.
        if RESERVED.contains(&text) || text.starts_with("aipress-") {
            return Err(NameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_rfc_1123_are_names() {
        let forty = "a".repeat(40);
        for good in ["abc", "bakery", "crumbs-bakery", "24-7", "0ab", "a-b-c", forty.as_str()] {
            assert!(good.parse::<TenantName>().is_ok(), "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let long = "a".repeat(41);
        let cases = [
            ("", NameError::Length(0)),
            ("ab", NameError::Length(2)),
            (long.as_str(), NameError::Length(41)),
            ("Bakery", NameError::Character('B')),
            ("bak_ery", NameError::Character('_')),
            ("bäckerei", NameError::Character('ä')),
            ("a.b.c", NameError::Character('.')),
            ("../etc", NameError::Character('.')),
            ("-abc", NameError::Hyphen),
            ("abc-", NameError::Hyphen),
            ("xn--abc", NameError::Punycode),
            ("console", NameError::Reserved("console".into())),
            ("aipress-shard-001", NameError::Reserved("aipress-shard-001".into())),
        ];
        for (text, reason) in cases {
            assert_eq!(text.parse::<TenantName>().unwrap_err(), reason, "{text}");
        }
    }

    #[test]
    fn the_reserved_list_is_sorted() {
        assert!(RESERVED.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
