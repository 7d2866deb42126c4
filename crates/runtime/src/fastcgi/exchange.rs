//! One request and its answer over one connection: written and read at the same time.
//!
//! An application may answer before it has read its input, or never read it at all; a client that
//! first writes everything would then wait for ever.

use std::{
    future::poll_fn,
    io,
    path::Path,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use rustix::net::{Shutdown, shutdown};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tokio_util::io::poll_read_buf;

use super::{
    begin_request::put_begin_request,
    decode::{DecodeError, Decoder, Event},
    nudge::{Nudge, unread},
    record::{RecordType, put_stream, put_stream_end},
    stdin::Stdin,
};

/// Length of the record that begins a request.
const BEGIN_BYTES: usize = 16;
/// How much is read from the connection at once.
const READ_BYTES: usize = 64 * 1024;

/// The first wait before a connection is tried again; doubled each time up to the second.
const RETRY_WAIT: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// How often a worker that nobody listens to is looked at.
const LEFT_WAIT: Duration = Duration::from_millis(50);

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
    /// The connection broke before a byte of an answer came, and perhaps of the request: it waited in the queue of a
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

/// A request that was sent, and its answer as it comes. Dropped, it closes the connection: a worker
/// that is told so may still go on, see [`Exchange::hang_up`].
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
                // Where it was never heard nothing is unread either, and no reset tells.
                Ok(0) if self.written == 0 => return Poll::Ready(Err(ExchangeError::Reset)),
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

    /// Tells the worker that nobody listens, and waits until it is free. All that it writes from now
    /// on fails, which ends the script unless that says `ignore_user_abort(true)`.
    ///
    /// A closed connection would tell the same, but nothing comes back over it. Here the input goes on
    /// and ends with a record more than it has: PHP asks for `CONTENT_LENGTH` bytes, and takes what is
    /// left once the script has ended, or closes the connection. Then nothing of it is unread.
    pub async fn hang_up(mut self) {
        // A worker that got nothing has nothing to run.
        if self.written == 0 || shutdown(&self.stream, Shutdown::Read).is_err() {
            return;
        }
        if poll_fn(|cx| self.poll_rest(cx)).await.is_err() {
            return;
        }
        put_stream_end(&mut self.out, RecordType::Stdin);
        // Whether a worker can still be written to, the next question tells.
        let _ = poll_fn(|cx| self.poll_rest(cx)).await;
        // PHP waits for this end once it has taken what is left.
        let _ = shutdown(&self.stream, Shutdown::Write);
        while unread(&self.stream).is_ok_and(|bytes| bytes > 0) {
            let mut pause = pin!(sleep(LEFT_WAIT));
            poll_fn(|cx| {
                let _ = self.poll_taken(cx);
                pause.as_mut().poll(cx)
            })
            .await;
        }
    }

    /// Writes what is left, and gets a worker for it where none has taken the request.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ExchangeError>> {
        let _ = self.poll_taken(cx);
        self.poll_write(cx)
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::{io::AsyncReadExt, task::JoinHandle, time::timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    /// A worker whose caller has left, and the task that ends when it is free. All of the request is
    /// read but the record that follows it. Bodies are of multiples of 8 bytes.
    async fn left(body: &'static [u8]) -> (UnixStream, JoinHandle<()>) {
        let (ours, mut worker) = UnixStream::pair().unwrap();
        let mut exchange = Exchange::begin(ours, b"", Stdin::Memory(Bytes::from_static(body)));
        assert!(timeout(Duration::from_millis(1), exchange.next()).await.is_err());
        let leaving = tokio::spawn(exchange.hang_up());
        let mut read = BytesMut::new();
        let end = [1, 5, 0, 1, 0, 0, 0, 0];
        while !read.ends_with(&end) {
            let mut bytes = [0; 8];
            timeout(LONG, worker.read_exact(&mut bytes)).await.unwrap().unwrap();
            read.extend_from_slice(&bytes);
        }
        assert!(read.len() > body.len());
        (worker, leaving)
    }

    async fn is_held(leaving: &mut JoinHandle<()>) -> bool {
        timeout(LEFT_WAIT * 4, leaving).await.is_err()
    }

    #[tokio::test]
    async fn a_worker_whose_caller_left_is_told_and_waited_for() {
        const LARGE: &[u8] = &[b'x'; 1024 * 1024];
        for body in [&b""[..], LARGE] {
            let (mut worker, mut leaving) = left(body).await;
            let error = loop {
                if let Err(error) = worker.write_all(b"x").await {
                    break error;
                }
                tokio::task::yield_now().await;
            };
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            assert!(is_held(&mut leaving).await, "it works");
            drop(worker);
            timeout(LONG, leaving).await.unwrap().unwrap();
        }
    }

    /// As php-fpm ends a request.
    #[tokio::test]
    async fn a_worker_that_takes_the_rest_of_its_input_has_ended() {
        let (mut worker, mut leaving) = left(b"a=1&b=22").await;
        worker.shutdown().await.unwrap();
        assert!(is_held(&mut leaving).await, "it works");
        let mut rest = Vec::new();
        timeout(LONG, worker.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert_eq!(rest, [1, 5, 0, 1, 0, 0, 0, 0]);
        timeout(LONG, leaving).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_pool_that_ended_before_the_request_was_sent_heard_nothing() {
        let (ours, worker) = UnixStream::pair().unwrap();
        drop(worker);
        let mut exchange = Exchange::begin(ours, b"", Stdin::empty());
        let error = timeout(LONG, exchange.next()).await.unwrap().unwrap_err();
        assert!(matches!(error, ExchangeError::Reset), "{error}");
    }

    #[tokio::test]
    async fn a_request_of_which_nothing_was_sent_is_closed() {
        let (ours, mut worker) = UnixStream::pair().unwrap();
        Exchange::begin(ours, b"", Stdin::empty()).hang_up().await;
        assert_eq!(worker.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
