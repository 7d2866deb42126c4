//! Counts of this edge, kept in atomics, read as a whole by [`Metrics::snapshot`].

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// A number that only grows, or one that is set.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn less(&self, fewer: u64) {
        self.0.fetch_sub(fewer, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Answers by the first digit of their status, 1 to 5.
    pub(crate) answers: [Count; 5],
    pub(crate) aborted: Count,
    pub(crate) bytes_sent: Count,
    pub(crate) connections: Count,
    pub(crate) requests: Count,
    pub(crate) tunnels: Count,
    pub(crate) upstream_connect_errors: Count,
    pub(crate) upstream_broken: Count,
    pub(crate) upstream_timeouts: Count,
    pub(crate) upstream_retries: Count,
    pub(crate) overloaded: Count,
    pub(crate) questions: Count,
    pub(crate) questions_refused: Count,
    pub(crate) feed_errors: Count,
    pub(crate) snapshot_errors: Count,
    pub(crate) access_log_dropped: Count,
    pub(crate) routes: Count,
    /// Milliseconds since the epoch; 0 for never.
    pub(crate) table_heard_at: Count,
}

/// The counts of one edge; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics(pub(crate) Arc<Counts>);

/// All counts at one time. Unless said otherwise they only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetricsSnapshot {
    /// Answers by class of their status: 1xx (upgrades), 2xx, 3xx, 4xx, 5xx.
    pub answers: [u64; 5],
    /// Requests whose visitor went away before the answer was whole, or whose answer broke.
    pub aborted: u64,
    /// Bytes of bodies sent to visitors.
    pub bytes_sent: u64,
    /// Visitors' connections now.
    pub connections: u64,
    /// Requests now.
    pub requests: u64,
    /// Upgraded connections now.
    pub tunnels: u64,
    /// Requests whose gateway could not be reached.
    pub upstream_connect_errors: u64,
    /// Requests whose gateway went away before the head of its answer.
    pub upstream_broken: u64,
    /// Requests whose gateway took too long to begin.
    pub upstream_timeouts: u64,
    /// Requests sent a second time because a connection had died.
    pub upstream_retries: u64,
    /// Requests refused because too many were under way.
    pub overloaded: u64,
    /// Questions to meta about unknown hosts.
    pub questions: u64,
    /// Questions not asked, for there were too many.
    pub questions_refused: u64,
    /// Failed attempts to learn of changed routes.
    pub feed_errors: u64,
    /// Failed attempts to write the table to disk.
    pub snapshot_errors: u64,
    /// Lines of the access log that were dropped because nobody took them.
    pub access_log_dropped: u64,
    /// Hosts in the table now.
    pub routes: u64,
    /// Milliseconds since the epoch when meta last said how the table is; 0 for never.
    pub table_heard_at_ms: u64,
}

impl Metrics {
    /// All counts now.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let counts = &*self.0;
        MetricsSnapshot {
            answers: std::array::from_fn(|class| counts.answers[class].get()),
            aborted: counts.aborted.get(),
            bytes_sent: counts.bytes_sent.get(),
            connections: counts.connections.get(),
            requests: counts.requests.get(),
            tunnels: counts.tunnels.get(),
            upstream_connect_errors: counts.upstream_connect_errors.get(),
            upstream_broken: counts.upstream_broken.get(),
            upstream_timeouts: counts.upstream_timeouts.get(),
            upstream_retries: counts.upstream_retries.get(),
            overloaded: counts.overloaded.get(),
            questions: counts.questions.get(),
            questions_refused: counts.questions_refused.get(),
            feed_errors: counts.feed_errors.get(),
            snapshot_errors: counts.snapshot_errors.get(),
            access_log_dropped: counts.access_log_dropped.get(),
            routes: counts.routes.get(),
            table_heard_at_ms: counts.table_heard_at.get(),
        }
    }
}

impl MetricsSnapshot {
    /// How old the route table is at `now_ms` (milliseconds since the epoch), in milliseconds:
    /// the time since meta last spoke. `None` when it never did.
    pub fn table_age_ms(&self, now_ms: u64) -> Option<u64> {
        (self.table_heard_at_ms > 0).then(|| now_ms.saturating_sub(self.table_heard_at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_their_counts() {
        let metrics = Metrics::default();
        let copy = metrics.clone();
        metrics.0.answers[4].one();
        metrics.0.table_heard_at.set(1_000);
        let seen = copy.snapshot();
        assert_eq!(seen.answers, [0, 0, 0, 0, 1]);
        assert_eq!(seen.table_age_ms(1_500), Some(500));
        assert_eq!(MetricsSnapshot::default().table_age_ms(9), None);
    }
}
