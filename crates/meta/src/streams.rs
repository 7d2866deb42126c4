//! Event streams at once: bounded in all and for each caller, so that nobody can hold them all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use aipress_types::UserId;
use http::header;

use crate::codes;
use crate::metrics::Metrics;
use crate::policy::Caller;
use crate::problem::ApiError;

/// How many streams there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// In all. Below the connections that meta takes, so that streams leave room for calls.
    pub total: usize,
    /// Of one user.
    pub per_caller: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { total: 2_048, per_caller: 512 }
    }
}

/// The streams that are open.
#[derive(Debug)]
pub(crate) struct Streams {
    limits: StreamLimits,
    open: Mutex<Open>,
    gauge: prometheus_client::metrics::gauge::Gauge<i64, std::sync::atomic::AtomicI64>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// Only of users who have some.
    by_caller: BTreeMap<UserId, usize>,
}

impl Streams {
    pub(crate) fn new(limits: StreamLimits, metrics: &Metrics) -> Arc<Self> {
        let gauge = metrics.streams.clone();
        Arc::new(Self { limits, open: Mutex::default(), gauge })
    }

    /// Takes one stream of `caller`'s; it is given back when the permit goes.
    ///
    /// # Errors
    /// 429 when there are too many, in words that tell whose.
    pub(crate) fn open(self: &Arc<Self>, caller: &Caller) -> Result<StreamPermit, ApiError> {
        let user = caller.user.id;
        let mut open = self.lock();
        let own = open.by_caller.get(&user).copied().unwrap_or(0);
        let refusal = if own >= self.limits.per_caller {
            Some(format!("you have {own} event streams open: close some"))
        } else if open.total >= self.limits.total {
            Some("all event streams are taken: ask for pages instead, or come back".to_owned())
        } else {
            None
        };
        if let Some(detail) = refusal {
            return Err(ApiError::new(&codes::TOO_MANY_STREAMS, detail)
                .with_header(header::RETRY_AFTER, "5"));
        }
        open.total += 1;
        open.by_caller.insert(user, own + 1);
        self.gauge.inc();
        Ok(StreamPermit { streams: Arc::clone(self), user })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while holding it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open stream.
#[derive(Debug)]
pub(crate) struct StreamPermit {
    streams: Arc<Streams>,
    user: UserId,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.total -= 1;
        if let Some(own) = open.by_caller.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                open.by_caller.remove(&self.user);
            }
        }
        self.streams.gauge.dec();
    }
}
