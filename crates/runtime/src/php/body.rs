//! An answer of PHP that is longer than what is held back: first that, then what comes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::time::Sleep;

use super::work::Work;
use crate::{
    body::BodyError,
    fastcgi::{decode::Event, end_request::ProtocolStatus},
};

/// The rest of an answer. Dropped, it tells the worker that nobody listens, unless the work
/// outlives its caller.
#[derive(Debug)]
pub(crate) struct PhpBody {
    pub(crate) held: Option<Bytes>,
    pub(crate) deadline: Pin<Box<Sleep>>,
    pub(crate) work: Work,
}

impl PhpBody {
    /// The next piece; `None` after `END_REQUEST`, or after the script said that this was all, and
    /// only then.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, BodyError>> {
        if let Some(held) = self.held.take() {
            return Poll::Ready(Ok(Some(held)));
        }
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(self.failed(BodyError::TimedOut)));
        }
        loop {
            let Some((exchange, stderr)) = self.work.parts() else { return Poll::Ready(Ok(None)) };
            match ready!(exchange.poll_next(cx)) {
                Ok(Event::Stdout(part)) => return Poll::Ready(Ok(Some(part))),
                Ok(Event::Stderr(part)) => {
                    stderr.push(&part);
                    if stderr.take_finished().is_some() {
                        self.work.goes_on();
                    }
                }
                Ok(Event::End(end)) if end.protocol_status == ProtocolStatus::RequestComplete => {
                    self.work.end();
                }
                Ok(Event::End(end)) => {
                    let error = BodyError::Refused(end.protocol_status);
                    return Poll::Ready(Err(self.failed(error)));
                }
                Err(error) => return Poll::Ready(Err(self.failed(error.into()))),
            }
        }
    }

    /// The connection to the client breaks; here is why.
    fn failed(&mut self, error: BodyError) -> BodyError {
        if let Some((_, stderr)) = self.work.parts() {
            stderr.failed(&error);
        }
        tracing::warn!(
            tenant.uid = self.work.uid(),
            error = &error as &dyn std::error::Error,
            "an answer of php-fpm broke off"
        );
        self.work.let_go();
        error
    }
}
