//! Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes (RFC 9113 section 3.4).

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What is read at first: a whole head, mostly.
const FIRST_READ: usize = 4_096;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Decides by the bytes so far. `None` when more are needed.
fn decide(bytes: &[u8]) -> Option<Protocol> {
    if bytes.len() >= PREFACE.len() {
        let is_http2 = bytes.starts_with(PREFACE);
        return Some(if is_http2 { Protocol::Http2 } else { Protocol::Http1 });
    }
    (!PREFACE.starts_with(bytes)).then_some(Protocol::Http1)
}

/// Reads until it is clear. Gives what was read, too; `None` when the other end said nothing.
pub(crate) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> io::Result<Option<(Protocol, BytesMut)>> {
    let mut bytes = BytesMut::with_capacity(FIRST_READ);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            // A part of the preface and then nothing is no HTTP/1.1 either.
            return Ok(None);
        }
        if let Some(protocol) = decide(&bytes) {
            return Ok(Some((protocol, bytes)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        assert_eq!(decide(b"GET / HTTP/1.1\r\n"), Some(Protocol::Http1));
        assert_eq!(decide(b"PR"), None);
        assert_eq!(decide(b"PROPFIND"), Some(Protocol::Http1));
        assert_eq!(decide(&PREFACE[..23]), None);
        assert_eq!(decide(PREFACE), Some(Protocol::Http2));
        assert_eq!(decide(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), Some(Protocol::Http1));
    }

    #[tokio::test]
    async fn what_was_read_is_kept() {
        let mut bytes: &[u8] = b"GET /";
        let (protocol, read) = read(&mut bytes).await.unwrap().unwrap();
        assert_eq!((protocol, &read[..]), (Protocol::Http1, &b"GET /"[..]));
        assert!(super::read(&mut &b"PRI"[..]).await.unwrap().is_none());
    }
}
