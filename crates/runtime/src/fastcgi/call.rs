//! One small request to a pool, answer and all, for what is no visitor: pings, WordPress's cron,
//! installing. Bounded in time and size.

use std::{path::Path, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use super::{
    decode::Event,
    end_request::ProtocolStatus,
    exchange::{Exchange, ExchangeError},
    head::{Head, HeadError, find_end},
    params::put_pair,
    stdin::Stdin,
};

/// The most that is kept of standard error.
const MAX_STDERR_BYTES: usize = 64 * 1024;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The pool's socket.
    pub socket: &'a Path,
    /// The FastCGI parameters, `SCRIPT_FILENAME` and `REQUEST_METHOD` among them.
    pub params: &'a [(&'a str, &'a str)],
    /// The request's body; set `CONTENT_LENGTH` accordingly.
    pub stdin: Bytes,
    /// How long all of it may take.
    pub wait: Duration,
    /// The longest answer that is taken, in bytes with its header.
    pub max_answer_bytes: usize,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The beginning of what PHP wrote to standard error.
    pub stderr: Bytes,
    /// PHP's exit status.
    pub app_status: u32,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The exchange broke.
    #[error("exchange with php-fpm")]
    Exchange(#[from] ExchangeError),
    /// The answer has no header, or a bad one.
    #[error("read the header of the answer")]
    Head(#[from] HeadError),
    /// The answer ended before its header did.
    #[error("the answer has no header")]
    NoHead,
    /// php-fpm did not take the request.
    #[error("php-fpm refused the request: {0:?}")]
    Refused(ProtocolStatus),
    /// The answer is longer than asked for.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// It took too long.
    #[error("no whole answer within {0:?}")]
    TimedOut(Duration),
}

impl Call<'_> {
    /// Asks and waits for the whole answer.
    pub async fn send(self) -> Result<Reply, CallError> {
        let wait = self.wait;
        let all = async { self.answer(self.begin().await?).await };
        timeout(wait, all).await.map_err(|_| CallError::TimedOut(wait))?
    }

    /// Connects; nothing is written yet.
    pub(super) async fn begin(&self) -> Result<Exchange, CallError> {
        let stream = Exchange::connect(self.socket, self.wait).await?;
        let mut params = Vec::new();
        for (name, value) in self.params {
            put_pair(&mut params, name.as_bytes(), value.as_bytes());
        }
        Ok(Exchange::begin(stream, &params, Stdin::Memory(self.stdin.clone())))
    }

    /// The whole answer of a call that was begun.
    pub(super) async fn answer(&self, mut exchange: Exchange) -> Result<Reply, CallError> {
        let (mut answer, mut stderr) = (BytesMut::new(), BytesMut::new());
        let end = loop {
            match exchange.next().await? {
                Event::Stdout(part) => answer.extend_from_slice(&part),
                Event::Stderr(part) => {
                    let room = MAX_STDERR_BYTES - stderr.len();
                    stderr.extend_from_slice(&part[..part.len().min(room)]);
                }
                Event::End(end) => break end,
            }
            if answer.len() > self.max_answer_bytes {
                return Err(CallError::TooLong(self.max_answer_bytes));
            }
        };
        if end.protocol_status != ProtocolStatus::RequestComplete {
            return Err(CallError::Refused(end.protocol_status));
        }
        let head = Head::parse(&answer, find_end(&answer, 0).ok_or(CallError::NoHead)?)?;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: answer.split_off(head.bytes).freeze(),
            stderr: stderr.freeze(),
            app_status: end.app_status,
        })
    }
}
