//! The body of a request on its way to a gateway: not buffered, bounded in its pauses, and held
//! back from a client that expects `100 Continue` until the gateway says so.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio::time::Sleep;

/// Why a body did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestBodyError {
    #[error("the visitor's body broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the visitor paused for too long within the body")]
    Idle,
    #[error("the visitor's body is larger than allowed")]
    TooLarge,
}

/// What is known of a body by who does not read it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    is_complete: AtomicBool,
    is_idle: AtomicBool,
    is_too_large: AtomicBool,
    is_wanted: AtomicBool,
    waker: AtomicWaker,
}

impl Progress {
    /// Whether all of it went to the gateway.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Whether the visitor paused for too long.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_idle.load(Ordering::Acquire)
    }

    /// Whether more came than is allowed.
    pub(crate) fn is_too_large(&self) -> bool {
        self.is_too_large.load(Ordering::Acquire)
    }

    /// Whether the gateway, or the time-out, asked for it; before nothing of it was read.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// The gateway said `100 Continue`.
    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// Bounds of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyBounds {
    pub(crate) idle: Duration,
    pub(crate) bytes: u64,
    /// How long a body is held back for the gateway's `100 Continue`; zero for one that isn't.
    pub(crate) hold_back: Duration,
}

/// The body.
#[derive(Debug)]
pub(crate) struct RequestBody(Option<Box<Streaming>>);

#[derive(Debug)]
struct Streaming {
    incoming: Incoming,
    bounds: BodyBounds,
    left: u64,
    timer: Pin<Box<Sleep>>,
    progress: Arc<Progress>,
}

impl RequestBody {
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    /// The visitor's body, and what can be seen of it from outside.
    pub(crate) fn streaming(incoming: Incoming, bounds: BodyBounds) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        let is_held_back = !bounds.hold_back.is_zero();
        progress.is_wanted.store(!is_held_back, Ordering::Release);
        let first = if is_held_back { bounds.hold_back } else { bounds.idle };
        let streaming = Streaming {
            incoming,
            bounds,
            left: bounds.bytes,
            timer: Box::pin(tokio::time::sleep(first)),
            progress: Arc::clone(&progress),
        };
        (Self(Some(Box::new(streaming))), progress)
    }
}

impl Streaming {
    fn poll_wanted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.progress.is_wanted() {
            return Poll::Ready(());
        }
        self.progress.waker.register(cx.waker());
        if !self.progress.is_wanted() {
            ready!(self.timer.as_mut().poll(cx));
            self.progress.is_wanted.store(true, Ordering::Release);
        }
        self.timer.as_mut().reset(Instant::now() + self.bounds.idle);
        Poll::Ready(())
    }

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        ready!(self.poll_wanted(cx));
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                self.progress.is_complete.store(true, Ordering::Release);
                return Poll::Ready(None);
            }
            Poll::Pending => {
                ready!(self.timer.as_mut().poll(cx));
                self.progress.is_idle.store(true, Ordering::Release);
                return Poll::Ready(Some(Err(RequestBodyError::Idle)));
            }
        };
        let Ok(data) = frame.into_data() else {
            // Trailers of requests are dropped: no gateway of ours reads them (RFC 9110 section
            // 6.5.1 lets an intermediary).
            self.progress.is_complete.store(true, Ordering::Release);
            return Poll::Ready(None);
        };
        match self.left.checked_sub(data.len() as u64) {
            Some(left) => self.left = left,
            None => {
                self.progress.is_too_large.store(true, Ordering::Release);
                return Poll::Ready(Some(Err(RequestBodyError::TooLarge)));
            }
        }
        if self.incoming.is_end_stream() {
            self.progress.is_complete.store(true, Ordering::Release);
        } else {
            self.timer.as_mut().reset(Instant::now() + self.bounds.idle);
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        match &mut self.0 {
            Some(streaming) => streaming.poll_data(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|streaming| streaming.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Some(streaming) => streaming.incoming.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
