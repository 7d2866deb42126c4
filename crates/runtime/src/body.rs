//! The body of an answer: nothing, bytes, a file, or PHP; counted, and reported when it ends.
//!
//! An error of a body breaks the connection visibly (no last chunk, a reset stream): half an
//! answer never looks like a whole one.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{
    access::{AccessRecord, AccessSink},
    fastcgi::{end_request::ProtocolStatus, exchange::ExchangeError},
    files::send::FileBody,
    php::body::PhpBody,
};

/// Why an answer broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The file could not be read, or became shorter.
    #[error("read a file")]
    File(#[source] io::Error),
    /// The worker died or talked nonsense after its first MiB.
    #[error("read the answer of php-fpm")]
    Exchange(#[from] ExchangeError),
    /// php-fpm ended the request with another status than complete.
    #[error("php-fpm ended the request with {0:?}")]
    Refused(ProtocolStatus),
    /// The request took longer than it may.
    #[error("the answer took too long")]
    TimedOut,
}

/// The body of an answer.
#[derive(Debug)]
pub struct Body {
    inner: Inner,
    observation: Option<Box<Observation>>,
}

#[derive(Debug)]
enum Inner {
    Empty,
    Full(Bytes),
    File(Box<FileBody>),
    Php(Box<PhpBody>),
}

/// Counts until the body is dropped, then reports.
struct Observation {
    sink: Arc<dyn AccessSink>,
    record: AccessRecord,
    started: Instant,
    /// HEAD, 204, 304: the server sends no body, so an unread one is whole.
    bodiless: bool,
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self { inner: Inner::Empty, observation: None }
    }

    /// Bytes at hand.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let inner = if bytes.is_empty() { Inner::Empty } else { Inner::Full(bytes) };
        Self { inner, observation: None }
    }

    /// Parts of a file.
    pub fn file(body: FileBody) -> Self {
        Self { inner: Inner::File(Box::new(body)), observation: None }
    }

    /// PHP that goes on.
    pub(crate) fn php(body: PhpBody) -> Self {
        Self { inner: Inner::Php(Box::new(body)), observation: None }
    }

    /// Reports `record` to `sink` when the body ends, with its bytes and duration filled in.
    pub(crate) fn observed(
        mut self,
        sink: Arc<dyn AccessSink>,
        record: AccessRecord,
        started: Instant,
        bodiless: bool,
    ) -> Self {
        self.observation = Some(Box::new(Observation { sink, record, started, bodiless }));
        self
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        match &mut self.inner {
            Inner::Empty => Poll::Ready(Ok(None)),
            Inner::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.inner = Inner::Empty;
                Poll::Ready(Ok(Some(bytes)))
            }
            Inner::File(file) => file.poll_next(cx).map_err(BodyError::File),
            Inner::Php(php) => {
                let data = ready!(php.poll_next(cx))?;
                if data.is_none() {
                    // The worker is free from here on, even while the last bytes are sent.
                    self.inner = Inner::Empty;
                }
                Poll::Ready(Ok(data))
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let data = ready!(this.poll_data(cx));
        if let (Ok(Some(bytes)), Some(observation)) = (&data, &mut this.observation) {
            observation.record.bytes += bytes.len() as u64;
        }
        Poll::Ready(data.transpose().map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Empty => true,
            Inner::File(file) => file.left() == 0,
            Inner::Full(_) | Inner::Php(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::File(file) => SizeHint::with_exact(file.left()),
            Inner::Php(_) => SizeHint::default(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let complete = http_body::Body::is_end_stream(self);
        if let Some(mut observation) = self.observation.take() {
            observation.record.complete = complete || observation.bodiless;
            observation.record.duration = observation.started.elapsed();
            observation.sink.record(&observation.record);
        }
    }
}

impl std::fmt::Debug for Observation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observation").field("record", &self.record).finish_non_exhaustive()
    }
}
