//! One HTTP/1.1 connection to a gateway, polled by whoever uses it.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use http::Request;
use http::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tokio::time::Sleep;

use super::connect::Stream;
use super::request_body::RequestBody;

/// Most header fields of an answer. WordPress sends some 20; caching plugins some more.
const MAX_HEADERS: usize = 256;

/// The driving half of a connection.
type Driver = http1::Connection<TokioIo<Stream>, RequestBody>;

/// Why an exchange brought no head of an answer.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// Nothing of the request was written; here it is again.
    Unsent(Box<Request<RequestBody>>),
    /// The connection broke after something was written.
    Broken(hyper::Error),
    /// The head took too long.
    TimedOut,
}

/// A context that wakes nobody, for what only driving the connection can make ready: who drives it
/// looks by itself, and need not be woken once more. But a task that has used up its budget is put
/// off by tokio until it is woken.
pub(crate) fn unwoken<'a>(cx: &'a Context<'_>) -> Context<'a> {
    let is_put_off = !tokio::task::coop::has_budget_remaining();
    Context::from_waker(if is_put_off { cx.waker() } else { Waker::noop() })
}

/// A connection.
pub(crate) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    driver: Driver,
    is_closed: bool,
    /// One timer for the connection's life: moving one on to a later time costs no lock.
    timer: Pin<Box<Sleep>>,
    pub(crate) idle_since: Instant,
}

impl Connection {
    /// Speaks HTTP/1.1 on `stream`.
    pub(crate) async fn open(stream: Stream) -> Result<Self, hyper::Error> {
        let (sender, driver) =
            http1::Builder::new().max_headers(MAX_HEADERS).handshake(TokioIo::new(stream)).await?;
        let now = Instant::now();
        Ok(Self {
            sender,
            driver,
            is_closed: false,
            timer: Box::pin(tokio::time::sleep_until(now)),
            idle_since: now,
        })
    }

    /// Moves bytes both ways. What it ends with is told to who waits for the head or the body.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_closed && Pin::new(&mut self.driver).poll(cx).is_ready() {
            self.is_closed = true;
        }
    }

    /// Whether the connection is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether it can take a request now: the gateway did not close it, nor said anything unasked
    /// for, and the last exchange is over. Wakes nobody later: who takes it drives it at once.
    pub(crate) fn is_reusable(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.drive(&mut cx);
        !self.is_closed && matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Ok(())))
    }

    /// Sends `request` and waits for the head of the answer.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        timeout: Duration,
    ) -> Result<Response<Incoming>, ExchangeError> {
        self.rest_until(Instant::now() + timeout);
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            if !self.is_closed && Pin::new(&mut self.driver).poll(cx).is_ready() {
                self.is_closed = true;
            }
            if let Poll::Ready(result) = answer.as_mut().poll(&mut unwoken(cx)) {
                return Poll::Ready(result.map_err(|mut error| match error.take_message() {
                    Some(request) => ExchangeError::Unsent(Box::new(request)),
                    None => ExchangeError::Broken(error.into_error()),
                }));
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(ExchangeError::TimedOut));
            }
            Poll::Pending
        })
        .await
    }

    /// Sets the timer.
    pub(crate) fn rest_until(&mut self, deadline: Instant) {
        self.timer.as_mut().reset(deadline);
    }

    /// Whether the timer is over; else wakes then.
    pub(crate) fn poll_is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.as_mut().poll(cx).is_ready()
    }

    /// The driving half, for one who runs it in a task of its own.
    pub(crate) fn into_driver(self) -> Driver {
        self.driver
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("is_closed", &self.is_closed).finish_non_exhaustive()
    }
}
