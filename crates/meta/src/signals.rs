//! What wakes waiting parts of this process after a commit. Only wake-ups: whoever is woken reads
//! the registry, so that a lost signal costs time and nothing else.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;

/// An edge that has not asked for this long is not waited for.
const EDGE_SEEN_WITHIN: Duration = Duration::from_secs(30);

/// The wake-ups of one meta.
#[derive(Debug)]
pub(crate) struct Signals {
    /// Number of the newest route change that this process committed.
    pub(crate) routes: watch::Sender<u64>,
    /// What edges have.
    pub(crate) edges: Edges,
}

impl Signals {
    pub(crate) fn new() -> Self {
        Self { routes: watch::Sender::new(0), edges: Edges::default() }
    }
}

/// Which changes of the route table each edge has: the `after` that it asks with acknowledges
/// them. In memory only: after a restart edges ask within moments.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    seen: Mutex<BTreeMap<String, Seen>>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    seq: u64,
    at: Instant,
}

impl Edges {
    /// `edge` has every change up to `seq`.
    pub(crate) fn acknowledge(&self, edge: &str, seq: u64) {
        let seen = Seen { seq, at: Instant::now() };
        // Keys are roles of the token file, so there are few.
        self.lock().insert(edge.to_owned(), seen);
        self.changed.notify_waiters();
    }

    /// Waits until every edge that was seen lately has the change `seq`, at most `patience`: a
    /// dead edge must not hold anybody up.
    pub(crate) async fn wait_for(&self, seq: u64, patience: Duration) {
        let all = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                // Registered before looking, so that no acknowledgement falls in between.
                changed.as_mut().enable();
                if self.all_have(seq, Instant::now()) {
                    return;
                }
                changed.await;
            }
        };
        // Running out of patience is an expected end, not an error.
        let _ = tokio::time::timeout(patience, all).await;
    }

    fn all_have(&self, seq: u64, now: Instant) -> bool {
        self.lock()
            .values()
            .filter(|seen| now.duration_since(seen.at) < EDGE_SEEN_WITHIN)
            .all(|seen| seen.seq >= seq)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        // Nothing panics while holding it; a poisoned lock still guards a whole map.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_living_edges_are_waited_for_and_a_dead_one_is_not() {
        let edges = Edges::default();
        let now = Instant::now();
        assert!(edges.all_have(5, now), "no edge, no wait");
        edges.acknowledge("edge-1", 5);
        edges.acknowledge("edge-2", 4);
        assert!(!edges.all_have(5, now), "one is behind");
        assert!(edges.all_have(5, now + EDGE_SEEN_WITHIN * 2), "both are dead");
        edges.acknowledge("edge-2", 6);
        assert!(edges.all_have(5, now), "both have it");
    }

    #[tokio::test]
    async fn patience_ends() {
        let edges = Edges::default();
        edges.acknowledge("edge", 0);
        edges.wait_for(1, Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn an_acknowledgement_wakes_who_waits() {
        let edges = std::sync::Arc::new(Edges::default());
        edges.acknowledge("edge", 0);
        let waiting = std::sync::Arc::clone(&edges);
        let waiter = aipress_kit::tasks::spawn("test", async move {
            waiting.wait_for(1, Duration::from_secs(60)).await;
        });
        tokio::task::yield_now().await;
        edges.acknowledge("edge", 1);
        waiter.await.unwrap();
    }
}
