//! The host that a request is for. Pure.
//!
//! Lower-cased, without port and trailing dot, it is the key of the route table. An IDN stays as
//! it came (`xn--…`). Which of target and `Host` counts: RFC 9112 section 3.2.2, RFC 9113 section
//! 8.3.1.

use std::borrow::Cow;

use http::HeaderValue;
use http::Version;
use http::header;
use http::request::Parts;

/// Longest host (RFC 1035 section 2.3.4) with a dot, a colon and a port behind it.
const MAX_BYTES: usize = 253 + 1 + 6;

/// The request names no host, two, or something that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    #[error("the request names no host")]
    Missing,
    #[error("the request names more than one host")]
    Several,
    #[error("the host holds characters that no host has")]
    Invalid,
}

/// A host as it was sent, and the parts of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// As it was sent, with a port if it had one; goes to the site as `Host`.
    pub(crate) sent: HeaderValue,
    name_end: usize,
    lowercase: Option<String>,
}

impl Host {
    /// The host of a request.
    pub(crate) fn of(parts: &Parts) -> Result<Self, HostError> {
        let mut fields = parts.headers.get_all(header::HOST).iter();
        let field = fields.next();
        if fields.next().is_some() {
            return Err(HostError::Several);
        }
        let Some(authority) = parts.uri.authority() else {
            return Self::parse(field.ok_or(HostError::Missing)?.clone());
        };
        if parts.version == Version::HTTP_2
            && field.is_some_and(|it| it.as_bytes() != authority.as_str().as_bytes())
        {
            return Err(HostError::Several);
        }
        let sent = HeaderValue::from_str(authority.as_str()).map_err(|_| HostError::Invalid)?;
        Self::parse(sent)
    }

    /// Takes `sent` apart.
    pub(crate) fn parse(sent: HeaderValue) -> Result<Self, HostError> {
        let text = sent.to_str().map_err(|_| HostError::Invalid)?;
        let (name, port) = split_port(text)?;
        let name = name.strip_suffix('.').unwrap_or(name);
        let port_fits = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
        if name.is_empty() || text.len() > MAX_BYTES || !port_fits {
            return Err(HostError::Invalid);
        }
        let lowercase =
            name.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| name.to_ascii_lowercase());
        let name_end = name.len();
        Ok(Self { sent, name_end, lowercase })
    }

    fn text(&self) -> &str {
        self.sent.to_str().unwrap_or_default()
    }

    /// The key of the route table.
    pub(crate) fn name(&self) -> &str {
        match &self.lowercase {
            Some(name) => name,
            None => &self.text()[..self.name_end],
        }
    }

    /// The port that was sent, if one was.
    pub(crate) fn port(&self) -> Option<&str> {
        let rest = &self.text()[self.name_end..];
        rest.trim_start_matches('.').strip_prefix(':').filter(|port| !port.is_empty())
    }

    /// Whether it is a name, not an address: only names are ever looked for.
    pub(crate) fn is_name(&self) -> bool {
        let name = self.name();
        !name.starts_with('[') && name.parse::<std::net::Ipv4Addr>().is_err()
    }
}

/// Name and port, both of allowed characters. The brackets of an IPv6 address stay.
fn split_port(text: &str) -> Result<(&str, Option<&str>), HostError> {
    let (name, rest) = if text.starts_with('[') {
        let end = text.find(']').ok_or(HostError::Invalid)? + 1;
        let inside = &text[1..end - 1];
        if !inside.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.') {
            return Err(HostError::Invalid);
        }
        text.split_at(end)
    } else {
        let end = text.find(':').unwrap_or(text.len());
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !text[..end].bytes().all(allowed) {
            return Err(HostError::Invalid);
        }
        text.split_at(end)
    };
    match rest.strip_prefix(':') {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok((name, Some(port))),
        None if rest.is_empty() => Ok((name, None)),
        _ => Err(HostError::Invalid),
    }
}

/// What was configured as a host, in the form of [`Host::name`].
pub(crate) fn normalized(text: &str) -> Cow<'_, str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn of(uri: &str, version: Version, hosts: &[&str]) -> Result<(String, String), HostError> {
        let mut request = Request::builder().uri(uri).version(version);
        for host in hosts {
            request = request.header("host", *host);
        }
        let host = Host::of(&request.body(()).unwrap().into_parts().0)?;
        Ok((host.name().to_owned(), host.port().unwrap_or("").to_owned()))
    }

    fn found(name: &str, port: &str) -> Result<(String, String), HostError> {
        Ok((name.to_owned(), port.to_owned()))
    }

    #[test]
    fn names_are_lower_case_without_port_and_dot() {
        for (sent, name, port) in [
            ("bakery.localhost:8080", "bakery.localhost", "8080"),
            ("Bakery.LOCALHOST", "bakery.localhost", ""),
            ("bakery.localhost.:80", "bakery.localhost", "80"),
            ("xn--bcker-gra.example", "xn--bcker-gra.example", ""),
            ("a:", "a", ""),
            ("[::1]:8080", "[::1]", "8080"),
            ("127.0.0.1:1", "127.0.0.1", "1"),
        ] {
            assert_eq!(of("/", Version::HTTP_11, &[sent]), found(name, port), "{sent}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = "a".repeat(300);
        for bad in [
            "",
            ".",
            ":80",
            "a b",
            "a/b",
            "a@b",
            "u:p@b",
            "a:b",
            "a:99999",
            "a:1:2",
            "[::1",
            "[x]",
            "[::1]x",
            "a,b",
            "a\"b",
            "b\u{e4}ckerei",
            "<b>",
            "a%00",
            &long,
        ] {
            assert!(of("/", Version::HTTP_11, &[bad]).is_err(), "{bad}");
        }
        assert_eq!(of("/", Version::HTTP_11, &[]), Err(HostError::Missing));
        assert_eq!(of("/", Version::HTTP_11, &["a", "b"]), Err(HostError::Several));
        assert_eq!(of("/", Version::HTTP_11, &["a", "a"]), Err(HostError::Several));
    }

    #[test]
    fn the_target_counts_more_than_the_field() {
        assert_eq!(of("http://B.c:9/x", Version::HTTP_11, &["a"]), found("b.c", "9"));
        assert_eq!(of("http://u@b.c/x", Version::HTTP_11, &["a"]), Err(HostError::Invalid));
        assert_eq!(of("http://b.c/x", Version::HTTP_2, &[]), found("b.c", ""));
        assert_eq!(of("http://b.c/x", Version::HTTP_2, &["b.c"]), found("b.c", ""));
        assert_eq!(of("http://b.c/x", Version::HTTP_2, &["other"]), Err(HostError::Several));
    }

    #[test]
    fn only_names_are_looked_for() {
        let is_name = |text: &str| Host::parse(text.parse().unwrap()).unwrap().is_name();
        assert!(is_name("bakery.localhost:8080"));
        assert!(!is_name("127.0.0.1:8080"));
        assert!(!is_name("[::1]"));
    }
}
