//! The body of a gateway's answer on its way to the visitor.
//!
//! Reads no faster than the visitor takes. One that breaks off ends in an error, so that the
//! visitor's connection breaks, too: it never looks whole. With its end the connection goes back
//! to the pool.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::connection::Connection;
use super::connection::unwoken;
use super::pool::Upstream;
use super::request_body::Progress;
use crate::body::BodyError;

/// How a connection is kept going while the body is read.
enum Drive {
    /// By who reads the body.
    Here(Box<Connection>),
    /// In a task: the visitor is still sending, and must not wait for being read to.
    Task(JoinHandle<Option<()>>),
    /// Not at all: it is back in the pool.
    Over,
}

/// The connection that an answer comes by.
pub(crate) enum Held {
    /// As taken from the pool.
    Connection(Box<Connection>),
    /// One that runs in a task, not to be used again.
    Task(JoinHandle<Option<()>>),
}

/// What [`Answer`] needs beside the body itself.
pub(crate) struct Exchange {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) connection: Held,
    /// The request's body, when it had one.
    pub(crate) upload: Option<Arc<Progress>>,
    pub(crate) idle: Duration,
    /// How many idle connections the pool keeps.
    pub(crate) most_idle: usize,
    /// Whether the visitor takes trailers.
    pub(crate) takes_trailers: bool,
    /// For a stream of events, which has no end of its own: when the edge drains. The browser
    /// comes back with `Last-Event-ID`.
    pub(crate) ends_with: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

/// The body.
pub(crate) struct Answer {
    incoming: Incoming,
    drive: Drive,
    upstream: Arc<Upstream>,
    idle: Duration,
    most_idle: usize,
    is_timer_late: bool,
    /// Why it broke off, until the visitor has what came before.
    broken: Option<BodyError>,
    is_read: bool,
    is_sent: bool,
    takes_trailers: bool,
    ends_with: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Answer {
    pub(crate) fn new(incoming: Incoming, exchange: Exchange) -> Self {
        let is_sent = exchange.upload.as_ref().is_none_or(|upload| upload.is_complete());
        let is_wanted = exchange.upload.as_ref().is_none_or(|upload| upload.is_wanted());
        let drive = match exchange.connection {
            Held::Task(task) => Drive::Task(task),
            // Wanted, but not all sent: goes on beside the answer, and ends with it.
            Held::Connection(connection) if is_wanted && !is_sent => {
                Drive::Task(aipress_kit::tasks::spawn("edge-upload", async move {
                    let _ = connection.into_driver().await;
                }))
            }
            Held::Connection(connection) => Drive::Here(connection),
        };
        Self {
            is_read: incoming.is_end_stream(),
            incoming,
            drive,
            upstream: exchange.upstream,
            idle: exchange.idle,
            most_idle: exchange.most_idle,
            is_timer_late: true,
            broken: None,
            is_sent,
            takes_trailers: exchange.takes_trailers,
            ends_with: exchange.ends_with,
        }
    }

    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Drive::Here(connection) = &mut self.drive else {
            return Pin::new(&mut self.incoming).poll_frame(cx);
        };
        // Only driving brings parts, and only asking for a part makes hyper's connection read on.
        // Both happen here, so neither need wake this very task for the other: the first round
        // wakes nobody, and the second registers for what the gateway sends.
        connection.drive(&mut unwoken(cx));
        let first = Pin::new(&mut self.incoming).poll_frame(&mut unwoken(cx));
        if first.is_ready() || connection.is_closed() {
            return first;
        }
        connection.drive(cx);
        Pin::new(&mut self.incoming).poll_frame(&mut unwoken(cx))
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> bool {
        let Drive::Here(connection) = &mut self.drive else { return false };
        if self.is_timer_late {
            self.is_timer_late = false;
            connection.rest_until(Instant::now() + self.idle);
        }
        connection.poll_is_over(cx)
    }

    /// The next part. The end of the body is the end of the exchange.
    pub(crate) fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_read {
            return Poll::Ready(None);
        }
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.poll_incoming(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.is_timer_late = true;
                if frame.is_trailers() {
                    self.is_read = true;
                    if !self.takes_trailers {
                        return Poll::Ready(None);
                    }
                } else {
                    self.is_read = self.incoming.is_end_stream();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                // hyper drops what it has not written yet when it sees an error, even the head.
                self.broken = Some(BodyError::Upstream(error));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => {
                self.is_read = true;
                Poll::Ready(None)
            }
            Poll::Pending => {
                if let Some(end) = &mut self.ends_with
                    && end.as_mut().poll(cx).is_ready()
                {
                    return Poll::Ready(None);
                }
                if self.poll_idle(cx) {
                    return Poll::Ready(Some(Err(BodyError::Idle)));
                }
                Poll::Pending
            }
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.is_read
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.drive, Drive::Over) {
            Drive::Here(connection) if self.is_read && self.is_sent && !connection.is_closed() => {
                self.upstream.give_back(connection, self.most_idle);
            }
            // What is not read to its end can't be used again, and closing tells the gateway.
            Drive::Here(_) | Drive::Over => {}
            Drive::Task(task) => task.abort(),
        }
    }
}
