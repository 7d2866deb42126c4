//! RESP2, the protocol of Redis, and a client of a few lines over a Unix socket.
//!
//! Sans-I/O below, I/O above. Answers are bounded in size, nesting and number; a connection that
//! failed or timed out is never used again. Deliberately absent: RESP3, pipelining, push messages.

use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::error::DriverError;

/// Longest answer, in bytes. The longest here is a page of `SCAN`.
const ANSWER_MAX: usize = 8 * 1024 * 1024;
/// Deepest nesting of an answer.
const DEPTH_MAX: usize = 8;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// `+OK`
    Status(String),
    /// `-ERR …`
    Error(String),
    /// `:1`
    Integer(i64),
    /// `$3 abc`, or none.
    Bulk(Option<Vec<u8>>),
    /// `*2 …`, or none.
    Array(Option<Vec<Reply>>),
}

/// An answer that is not RESP2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("redis sent no resp2 answer: {0}")]
pub(crate) struct RespError(&'static str);

/// A command as an array of bulk strings.
pub(crate) fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The first answer in `bytes` and how long it is; `None` when it is not whole yet.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Reply, usize)>, RespError> {
    let mut at = 0;
    let reply = decode_at(bytes, &mut at, 0)?;
    Ok(reply.map(|reply| (reply, at)))
}

fn decode_at(bytes: &[u8], at: &mut usize, depth: usize) -> Result<Option<Reply>, RespError> {
    if depth > DEPTH_MAX {
        return Err(RespError("nested too deeply"));
    }
    let Some((kind, line)) = line(bytes, at)? else { return Ok(None) };
    let text = || {
        std::str::from_utf8(line).map(str::to_owned).map_err(|_| RespError("a line is not utf-8"))
    };
    match kind {
        b'+' => Ok(Some(Reply::Status(text()?))),
        b'-' => Ok(Some(Reply::Error(text()?))),
        b':' => Ok(Some(Reply::Integer(number(line)?))),
        b'$' => {
            let Some(length) = length(line)? else { return Ok(Some(Reply::Bulk(None))) };
            let Some(found) = bytes.get(*at..*at + length + 2) else { return Ok(None) };
            let Some(body) = found.strip_suffix(b"\r\n") else {
                return Err(RespError("a string does not end where it says"));
            };
            *at += length + 2;
            Ok(Some(Reply::Bulk(Some(body.to_vec()))))
        }
        b'*' => {
            let Some(count) = length(line)? else { return Ok(Some(Reply::Array(None))) };
            // Each element has three bytes at least; no allocation for what is not there.
            let mut items = Vec::with_capacity(count.min(bytes.len() / 3));
            for _ in 0..count {
                match decode_at(bytes, at, depth + 1)? {
                    Some(item) => items.push(item),
                    None => return Ok(None),
                }
            }
            Ok(Some(Reply::Array(Some(items))))
        }
        _ => Err(RespError("an unknown kind of answer")),
    }
}

/// The kind and text of the line at `at`, which moves behind it.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Option<(u8, &'a [u8])>, RespError> {
    let rest = &bytes[*at..];
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let Some((kind, text)) = rest[..end].split_first() else {
        return Err(RespError("an empty line"));
    };
    *at += end + 2;
    Ok(Some((*kind, text)))
}

fn number(text: &[u8]) -> Result<i64, RespError> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(RespError("a number is none"))
}

fn length(text: &[u8]) -> Result<Option<usize>, RespError> {
    match number(text)? {
        -1 => Ok(None),
        length => usize::try_from(length)
            .ok()
            .filter(|length| *length <= ANSWER_MAX)
            .map(Some)
            .ok_or(RespError("a length out of bounds")),
    }
}

/// A connection to Redis.
pub(crate) struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    limit: Duration,
}

impl Connection {
    /// Connects and signs in. `limit` is for connecting and then for each answer.
    pub(crate) async fn open(
        socket: &Path,
        user: &str,
        password: &str,
        limit: Duration,
    ) -> Result<Self, DriverError> {
        let what = "connect to redis";
        let stream = tokio::time::timeout(limit, UnixStream::connect(socket))
            .await
            .map_err(|_| DriverError::Timeout { what: what.to_owned(), after: limit })?
            .map_err(|error| DriverError::unavailable(what, error))?;
        let mut connection = Self { stream, received: Vec::new(), limit };
        connection.call(&["AUTH", user, password]).await?;
        Ok(connection)
    }

    /// Sends a command and reads its answer; `-ERR` is an error. The first word only is named in
    /// errors: the others may be secret.
    pub(crate) async fn call(&mut self, words: &[&str]) -> Result<Reply, DriverError> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.call_bytes(&words).await
    }

    /// [`call`](Self::call) with words that need not be text.
    pub(crate) async fn call_bytes(&mut self, words: &[&[u8]]) -> Result<Reply, DriverError> {
        let name = words.first().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
        let what = format!("redis {}", name.unwrap_or_default());
        let reply =
            tokio::time::timeout(self.limit, self.exchange(&encode(words), &what))
                .await
                .map_err(|_| DriverError::Timeout { what: what.clone(), after: self.limit })??;
        match reply {
            Reply::Error(text) if text.starts_with("LOADING") => {
                Err(DriverError::unavailable(what, "redis is loading"))
            }
            Reply::Error(text) => Err(DriverError::failed(what, format!("redis: {text}"))),
            reply => Ok(reply),
        }
    }

    async fn exchange(&mut self, command: &[u8], what: &str) -> Result<Reply, DriverError> {
        let gone = |error: std::io::Error| DriverError::unavailable(what, error);
        self.stream.write_all(command).await.map_err(gone)?;
        loop {
            let found = decode(&self.received).map_err(|error| DriverError::failed(what, error))?;
            if let Some((reply, used)) = found {
                self.received.drain(..used);
                return Ok(reply);
            }
            if self.received.len() > ANSWER_MAX {
                return Err(DriverError::failed(what, "redis sent too long an answer"));
            }
            let read = self.stream.read_buf(&mut self.received).await.map_err(gone)?;
            if read == 0 {
                return Err(DriverError::unavailable(what, "redis closed the connection"));
            }
        }
    }
}

#[cfg(test)]
#[path = "resp/tests.rs"]
mod tests;
