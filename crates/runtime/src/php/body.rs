//! An answer of PHP that is longer than what is held back: first that, then what comes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::time::Sleep;

use super::{run::Lease, stderr::StderrLog};
use crate::{
    body::BodyError,
    fastcgi::{decode::Event, end_request::ProtocolStatus, exchange::Exchange},
};

/// The rest of an answer. Dropped, it closes the connection to the worker.
#[derive(Debug)]
pub(crate) struct PhpBody {
    pub(crate) held: Option<Bytes>,
    pub(crate) exchange: Exchange,
    pub(crate) deadline: Pin<Box<Sleep>>,
    pub(crate) stderr: StderrLog,
    /// The worker and the allowance, until the body ends.
    pub(crate) lease: Lease,
}

impl PhpBody {
    /// The next piece; `None` after `END_REQUEST`, and only then.
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
            match ready!(self.exchange.poll_next(cx)) {
                Ok(Event::Stdout(part)) => return Poll::Ready(Ok(Some(part))),
                Ok(Event::Stderr(part)) => self.stderr.push(&part),
                Ok(Event::End(end)) if end.protocol_status == ProtocolStatus::RequestComplete => {
                    return Poll::Ready(Ok(None));
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
        self.stderr.failed(&error);
        tracing::warn!(
            tenant.uid = %self.lease.uid,
            error = &error as &dyn std::error::Error,
            "an answer of php-fpm broke off"
        );
        error
    }
}
