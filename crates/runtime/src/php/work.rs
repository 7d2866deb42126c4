//! What a request holds of PHP while it is worked on, and the work that goes on after its answer:
//! after `fastcgi_finish_request()`, and in WordPress's cron whose caller never waits. It is heard
//! to its end, so that what it says reaches the site's log and its worker stays counted.
//!
//! Of other work whose caller leaves nothing is heard any more, but its worker stays counted as well
//! until it is free: a script may go on all the same (`ignore_user_abort`), and a site whose callers
//! hang up would have more workers than its own.

use std::time::Duration;

use aipress_kit::tasks;
use tokio::time::{Instant, timeout_at};

use super::{
    run::{Lease, RunError},
    stderr::StderrLog,
};
use crate::fastcgi::{
    decode::Event,
    exchange::{Exchange, ExchangeError},
};

/// How long after its deadline a worker may be busy. php-fpm's `request_terminate_timeout` is as long
/// as a request may take here; it looks at its workers each third of that, 100 s, and counts from when
/// one took the request.
const ENDED_WITHIN: Duration = Duration::from_secs(200);

/// A worker died, and the visitor saw nothing of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}; another one was asked")]
struct AnotherAsked(ExchangeError);

/// An exchange with what belongs to it.
#[derive(Debug)]
pub(crate) struct Work {
    /// `None` once it ended or was handed on.
    held: Option<Held>,
    deadline: Instant,
    /// Whether it is heard when nobody wants its answer any more. Otherwise the worker is told then.
    outlives_its_caller: bool,
}

#[derive(Debug)]
struct Held {
    exchange: Exchange,
    stderr: StderrLog,
    /// The worker and the allowance.
    lease: Lease,
}

impl Work {
    pub(crate) fn new(
        exchange: Exchange,
        stderr: StderrLog,
        lease: Lease,
        deadline: Instant,
        outlives_its_caller: bool,
    ) -> Self {
        Self { held: Some(Held { exchange, stderr, lease }), deadline, outlives_its_caller }
    }

    /// Goes on with another connection.
    pub(crate) fn replace(&mut self, exchange: Exchange) {
        if let Some(held) = &mut self.held {
            held.exchange = exchange;
        }
    }

    /// Its worker died, and another one is asked: the site's owner is told all the same.
    pub(crate) fn worker_died(&mut self, error: ExchangeError) {
        let error = AnotherAsked(error);
        tracing::warn!(
            tenant.uid = self.uid(),
            error = &error as &dyn std::error::Error,
            "no page from a worker of php-fpm"
        );
        if let Some((_, stderr)) = self.parts() {
            stderr.failed(&error);
        }
    }

    /// When it is cut off.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The exchange and where its standard error goes; nothing after the end.
    pub(crate) fn parts(&mut self) -> Option<(&mut Exchange, &mut StderrLog)> {
        self.held.as_mut().map(|held| (&mut held.exchange, &mut held.stderr))
    }

    /// The tenant's uid, while there is work.
    pub(crate) fn uid(&self) -> &str {
        self.held.as_ref().map_or("", |held| &held.lease.uid)
    }

    /// The worker said that it ended.
    pub(crate) fn end(&mut self) {
        self.held = None;
    }

    /// Its answer is whole: the rest is heard by a task of its own. There are no more of them
    /// than there are workers, as each keeps its turn.
    pub(crate) fn goes_on(&mut self) {
        if let Some(held) = self.held.take() {
            tasks::spawn("php-after-answer", hear(held, self.deadline));
        }
    }

    /// Nobody wants the rest of its answer: the worker is told, and a task of its own keeps its turn
    /// until it is free.
    pub(crate) fn let_go(&mut self) {
        if let Some(Held { exchange, lease, .. }) = self.held.take() {
            tasks::spawn("php-nobody-listens", leave(exchange, lease, self.deadline));
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.outlives_its_caller {
            self.goes_on();
        } else {
            self.let_go();
        }
    }
}

/// Hears the script to its end; what it prints is for nobody.
async fn hear(held: Held, deadline: Instant) {
    let Held { mut exchange, mut stderr, lease } = held;
    let error: RunError = loop {
        match timeout_at(deadline, exchange.next()).await {
            Ok(Ok(Event::Stdout(_))) => {}
            Ok(Ok(Event::Stderr(part))) => {
                stderr.push(&part);
                // A script whose caller left finishes its answer here.
                stderr.take_finished();
            }
            Ok(Ok(Event::End(_))) => return,
            Ok(Err(error)) => break ExchangeError::into(error),
            Err(_) => break RunError::TimedOut,
        }
    };
    stderr.failed(&error);
    tracing::warn!(
        tenant.uid = %lease.uid,
        error = &error as &dyn std::error::Error,
        "work of php after its answer broke off"
    );
    leave(exchange, lease, deadline).await;
}

/// Keeps the lease until the worker is free.
async fn leave(exchange: Exchange, lease: Lease, deadline: Instant) {
    if timeout_at(deadline + ENDED_WITHIN, exchange.hang_up()).await.is_err() {
        tracing::warn!(tenant.uid = %lease.uid, "a worker of php-fpm goes on beyond its time");
    }
}
