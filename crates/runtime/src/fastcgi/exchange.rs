//! One request and its answer over one connection: written and read at the same time.
//!
//! An application may answer before it has read its input, or never read it at all; a client that
//! first writes everything would then wait for ever.

use std::{
    future::poll_fn,
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::io::poll_read_buf;

use super::{
    begin_request::put_begin_request,
    decode::{DecodeError, Decoder, Event},
    nudge::Nudge,
    record::{RecordType, put_stream, put_stream_end},
    stdin::Stdin,
};

/// Length of the record that begins a request.
const BEGIN_BYTES: usize = 16;
/// How much is read from the connection at once.
const READ_BYTES: usize = 64 * 1024;

/// The first wait before a connection is tried again; doubled each time up to the second.
const RETRY_WAIT: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The pool's socket took no connection in time.
    #[error("connect to php-fpm")]
    Connect(#[source] io::Error),
    /// The connection broke.
    #[error("talk to php-fpm")]
    Io(#[source] io::Error),
    /// The request's body could not be read from its file.
    #[error("read the request body")]
    Stdin(#[source] io::Error),
    /// The connection was reset before a byte of an answer came: it waited in the queue of a
    /// master that ended, or its worker was killed.
    #[error("the worker ended in the middle, before it answered")]
    Reset,
    /// The connection ended before the answer did: the worker died or was killed.
    #[error("the worker ended in the middle of its answer")]
    Truncated,
    /// The answer is no FastCGI.
    #[error("decode the answer of php-fpm")]
    Decode(#[from] DecodeError),
}

/// A request that was sent, and its answer as it comes. Dropped, it closes the connection, which
/// tells the worker that nobody listens.
#[derive(Debug)]
pub struct Exchange {
    stream: UnixStream,
    out: BytesMut,
    /// `None` when all of it was written, or when the application does not want it.
    stdin: Option<Stdin>,
    input: BytesMut,
    decoder: Decoder,
    /// Whether a byte of the answer came.
    is_answered: bool,
    /// Bytes written.
    written: usize,
    /// Until a worker took the request.
    nudge: Option<Nudge>,
}

impl Exchange {
    /// Connects to a pool. While php-fpm is being started again, or its queue is full, the
    /// connection is tried again until the time is over: nothing was sent, so nothing can happen
    /// twice.
    pub async fn connect(socket: &Path, wait: Duration) -> Result<UnixStream, ExchangeError> {
        let deadline = Instant::now() + wait;
        let (mut pause, longest) = RETRY_WAIT;
        loop {
            let error = match timeout_at(deadline, UnixStream::connect(socket)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => error,
                Err(_) => return Err(ExchangeError::Connect(io::ErrorKind::TimedOut.into())),
            };
            let passing = matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::NotFound
                    // The queue of a Unix socket is full (EAGAIN of connect(2)).
                    | io::ErrorKind::WouldBlock
            );
            let next = Instant::now() + pause;
            if !passing || next >= deadline {
                return Err(ExchangeError::Connect(error));
            }
            sleep_until(next).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Begins a request on a fresh connection. `params` are encoded name-value pairs.
    pub fn begin(stream: UnixStream, params: &[u8], stdin: Stdin) -> Self {
        let mut out = BytesMut::with_capacity(params.len() + 128);
        put_begin_request(&mut out);
        put_stream(&mut out, RecordType::Params, params);
        put_stream_end(&mut out, RecordType::Params);
        Self {
            stream,
            out,
            stdin: Some(stdin),
            input: BytesMut::new(),
            decoder: Decoder::default(),
            is_answered: false,
            written: 0,
            nudge: Some(Nudge::new()),
        }
    }

    /// Writes the beginning only: a worker that takes it is busy until the rest comes.
    pub(super) async fn announce(&mut self) -> Result<(), ExchangeError> {
        let begin = self.out.split_to(BEGIN_BYTES);
        self.stream.write_all(&begin).await.map_err(ExchangeError::Io)?;
        self.written += begin.len();
        Ok(())
    }

    /// Waits until a worker has taken it.
    pub(super) async fn taken(&mut self) {
        poll_fn(|cx| self.poll_taken(cx)).await;
    }

    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(nudge) = &mut self.nudge {
            ready!(nudge.poll_taken(cx, &self.stream, self.written));
            self.nudge = None;
        }
        Poll::Ready(())
    }

    /// The next event. After [`Event::End`] don't ask again.
    pub async fn next(&mut self) -> Result<Event, ExchangeError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next event, polled. Writes what can be written, too.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, ExchangeError>> {
        // A write that must wait has left its waker; only its errors matter here.
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            if let Some(event) = self.decoder.next(&mut self.input)? {
                return Poll::Ready(Ok(event));
            }
            let read = match self.poll_read(cx) {
                Poll::Ready(read) => read,
                Poll::Pending => {
                    // Its timer has left its waker, too.
                    let _ = self.poll_taken(cx);
                    return Poll::Pending;
                }
            };
            self.nudge = None;
            match read {
                Ok(0) => return Poll::Ready(Err(ExchangeError::Truncated)),
                Ok(_) => self.is_answered = true,
                // A worker that was killed with input unread resets the connection, too.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Poll::Ready(Err(match self.is_answered {
                        true => ExchangeError::Truncated,
                        false => ExchangeError::Reset,
                    }));
                }
                Err(error) => return Poll::Ready(Err(ExchangeError::Io(error))),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ExchangeError>> {
        loop {
            if self.out.is_empty() {
                let Some(stdin) = &mut self.stdin else { return Poll::Ready(Ok(())) };
                let last = ready!(stdin.poll_records(cx, &mut self.out));
                if last.map_err(ExchangeError::Stdin)? {
                    self.stdin = None;
                }
            }
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out)) {
                Ok(written) if written > 0 => {
                    self.out.advance(written);
                    self.written += written;
                }
                // The application reads no more. It may have answered; the reading side knows.
                _ => {
                    self.out.clear();
                    self.stdin = None;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(READ_BYTES);
        poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input)
    }
}
