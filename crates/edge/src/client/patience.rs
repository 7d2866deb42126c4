//! How long a connection may take to say something. Pure.
//!
//! Looked at now and then instead of with a timer for each request, which costs nothing while
//! requests come. So a bound is met within a half more of the time for a head.

use std::time::Duration;

/// A connection at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Requests begun so far.
    pub(crate) begun: u32,
    /// Whether one is under way.
    pub(crate) is_busy: bool,
    /// Whether a part of the next request's head came.
    pub(crate) has_bytes: bool,
}

#[derive(Debug)]
pub(crate) struct Patience {
    head: Duration,
    keep_alive: Duration,
    last: Seen,
    /// For how long it has been as `last` says.
    since: Duration,
}

impl Patience {
    pub(crate) fn new(head: Duration, keep_alive: Duration) -> Self {
        let last = Seen { begun: 0, is_busy: false, has_bytes: false };
        Self { head, keep_alive, last, since: Duration::ZERO }
    }

    /// When to look next.
    pub(crate) fn interval(&self) -> Duration {
        self.head.min(self.keep_alive) / 2
    }

    /// Looks after another [`Patience::interval`]. Whether it is at an end.
    pub(crate) fn is_over(&mut self, seen: Seen) -> bool {
        if seen.is_busy || seen != self.last {
            self.last = seen;
            self.since = Duration::ZERO;
            return false;
        }
        self.since += self.interval();
        // A connection that never sent a byte is no visitor that will come back.
        let is_head_due = seen.has_bytes || seen.begun == 0;
        self.since >= if is_head_due { self.head } else { self.keep_alive }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        Patience::new(Duration::from_secs(10), Duration::from_secs(60))
    }

    fn looks(patience: &mut Patience, seen: Seen) -> usize {
        (1..100).find(|_| patience.is_over(seen)).unwrap_or(0)
    }

    #[test]
    fn a_slow_head_ends_soon_and_an_idle_connection_later() {
        let silent = Seen { begun: 0, is_busy: false, has_bytes: false };
        assert_eq!(looks(&mut patience(), silent), 2);
        let slow = Seen { begun: 3, is_busy: false, has_bytes: true };
        assert_eq!(looks(&mut patience(), slow), 3);
        let idle = Seen { begun: 3, is_busy: false, has_bytes: false };
        assert_eq!(looks(&mut patience(), idle), 13);
    }

    #[test]
    fn a_busy_connection_lasts() {
        let busy = Seen { begun: 1, is_busy: true, has_bytes: false };
        assert_eq!(looks(&mut patience(), busy), 0);
    }

    #[test]
    fn each_request_starts_the_time_again() {
        let mut patience = patience();
        for begun in 1..100 {
            assert!(!patience.is_over(Seen { begun, is_busy: false, has_bytes: false }));
        }
    }
}
