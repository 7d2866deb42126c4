//! The header of a CGI answer (RFC 3875 section 6): found, read, and turned into that of HTTP.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Headers that belong to one connection (RFC 9110 section 7.6.1) or tell what runs behind, and
/// those with which nginx and Apache would be told to send a file: nobody here obeys them.
const DROPPED: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-accel-redirect",
    "x-powered-by",
    "x-sendfile",
];

/// Status, headers, and where the body begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status: that of `Status:`, 302 for a `Location` alone, else 200.
    pub status: StatusCode,
    /// The headers that are passed on; every `Set-Cookie` of them. Without `Content-Length`.
    pub headers: HeaderMap,
    /// What PHP said how long its body is.
    pub content_length: Option<u64>,
    /// The length of the header with its empty line.
    pub bytes: usize,
}

/// The header is none; the answer is 502.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// A line without a colon, or with a name or value that HTTP does not have.
    #[error("bad header line {0:?}")]
    Line(String),
    /// A status that is none of a whole answer.
    #[error("bad status {0:?}")]
    Status(String),
    /// Two lengths that differ, or one that is no number.
    #[error("bad content length {0:?}")]
    ContentLength(String),
}

/// Where the header ends (behind its empty line), when it is in `bytes` whole. Lines end with CRLF
/// or LF, as RFC 3875 section 6.2 has it (`NL`).
///
/// `from` is how far an earlier look came.
pub fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(2);
    while let Some(line) = bytes[at..].iter().position(|&byte| byte == b'\n') {
        let next = at + line + 1;
        match bytes.get(next..) {
            Some([b'\n', ..]) => return Some(next + 1),
            Some([b'\r', b'\n', ..]) => return Some(next + 2),
            _ => at = next,
        }
    }
    // An answer that begins with its empty line has no header at all: PHP never does that.
    None
}

impl Head {
    /// Reads the header, which ends at `end`.
    pub fn parse(bytes: &[u8], end: usize) -> Result<Self, HeadError> {
        let mut status = None;
        let mut content_length = None;
        let mut headers = HeaderMap::new();
        for line in bytes[..end].split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let (name, value) = split_line(line)?;
            if name == "status" {
                status = Some(parse_status(value)?);
            } else if name == header::CONTENT_LENGTH {
                let length = parse_length(value)?;
                if content_length.is_some_and(|known| known != length) {
                    return Err(HeadError::ContentLength(shown(value)));
                }
                content_length = Some(length);
            } else if !DROPPED.contains(&name.as_str()) {
                let value = HeaderValue::from_bytes(value).map_err(|_| bad_line(line))?;
                headers.append(name, value);
            }
        }
        let status = match status {
            Some(status) => status,
            None if headers.contains_key(header::LOCATION) => StatusCode::FOUND,
            None => StatusCode::OK,
        };
        Ok(Self { status, headers, content_length, bytes: end })
    }
}

fn split_line(line: &[u8]) -> Result<(HeaderName, &[u8]), HeadError> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or_else(|| bad_line(line))?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| bad_line(line))?;
    Ok((name, line[colon + 1..].trim_ascii()))
}

fn parse_status(value: &[u8]) -> Result<StatusCode, HeadError> {
    let code = value.split(|&byte| byte == b' ').next().unwrap_or_default();
    StatusCode::from_bytes(code)
        .ok()
        // 1xx is no answer, and 101 would end HTTP on the connection.
        .filter(|status| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| HeadError::Status(shown(value)))
}

fn parse_length(value: &[u8]) -> Result<u64, HeadError> {
    let digits = value.iter().all(u8::is_ascii_digit) && !value.is_empty();
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.filter(|_| digits).ok_or_else(|| HeadError::ContentLength(shown(value)))
}

fn bad_line(line: &[u8]) -> HeadError {
    HeadError::Line(shown(line))
}

/// The beginning of a bad line, for the log.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}
