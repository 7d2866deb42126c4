//! Lines that wait to be written: a bounded queue for each tenant and source, emptied in turns.
//! Whoever is too fast loses the oldest of its own.

use std::collections::HashMap;
use std::collections::VecDeque;

use aipress_api::LogSource;
use uuid::Uuid;

use crate::limits::LogLimits;
use crate::line::NewLine;

/// Tenants and sources of which lost lines are remembered while none of them waits; beyond, their
/// number is in the platform's log alone.
const LOST_MAX: usize = 4_096;

/// Whose lines, and of what.
pub(crate) type Key = (Uuid, LogSource);

/// Lines of one tenant and source, with when each was taken.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) lines: VecDeque<(u64, NewLine)>,
    /// Lines that had to go before these.
    pub(crate) dropped: u64,
    bytes: usize,
}

/// All that wait.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    by_key: HashMap<Key, Waiting>,
    /// Whose turn it is: each key with a queue stands here once.
    turns: VecDeque<Key>,
    bytes: usize,
    /// Lines that could not be written: told with the next one of their key.
    lost: HashMap<Key, u64>,
}

impl Queues {
    /// Takes a line that was cut to its bounds.
    pub(crate) fn push(&mut self, key: Key, micros: u64, line: NewLine, limits: &LogLimits) {
        let weight = line.weight();
        let share = limits.total_queue_bytes / self.by_key.len().max(1);
        let max = limits.queue_bytes.min(share);
        let waiting = self.by_key.entry(key).or_insert_with(|| {
            self.turns.push_back(key);
            Waiting { dropped: self.lost.remove(&key).unwrap_or(0), ..Waiting::default() }
        });
        waiting.lines.push_back((micros, line));
        waiting.bytes += weight;
        self.bytes += weight;
        while waiting.bytes > max && waiting.lines.len() > 1 {
            let Some((_, oldest)) = waiting.lines.pop_front() else { break };
            let weight = oldest.weight();
            waiting.bytes = waiting.bytes.saturating_sub(weight);
            self.bytes = self.bytes.saturating_sub(weight);
            waiting.dropped += 1;
        }
    }

    /// The lines of whoever waits longest.
    pub(crate) fn take(&mut self) -> Option<(Key, Waiting)> {
        let key = self.turns.pop_front()?;
        let waiting = self.by_key.remove(&key)?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        Some((key, waiting))
    }

    /// Says with the next lines of `key` that so many could not be written.
    pub(crate) fn lost(&mut self, key: Key, lines: u64) {
        if let Some(waiting) = self.by_key.get_mut(&key) {
            waiting.dropped += lines;
        // A queue for a count alone would try for ever.
        } else if self.lost.len() < LOST_MAX || self.lost.contains_key(&key) {
            *self.lost.entry(key).or_default() += lines;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_api::Severity;

    fn line(text: &str) -> NewLine {
        NewLine::new(LogSource::Php, "php", Severity::Error, text)
    }

    #[test]
    fn who_is_too_fast_loses_the_oldest_of_its_own() {
        let limits = LogLimits { queue_bytes: 10_000, ..LogLimits::default() };
        let mut queues = Queues::default();
        let (loud, quiet) = (Uuid::from_u128(1), Uuid::from_u128(2));
        queues.push((quiet, LogSource::Php), 0, line("here"), &limits);
        for at in 0..1_000 {
            queues.push((loud, LogSource::Php), at, line(&"x".repeat(100)), &limits);
            queues.push((loud, LogSource::Access), at, line("y"), &limits);
        }
        assert!(queues.bytes() < 25_000, "{}", queues.bytes());
        let (key, waiting) = queues.take().unwrap();
        assert_eq!((key.0, waiting.lines.len(), waiting.dropped), (quiet, 1, 0));
        let (key, waiting) = queues.take().unwrap();
        assert_eq!(key, (loud, LogSource::Php));
        assert_eq!(waiting.lines.back().unwrap().0, 999, "the newest is there");
        assert_eq!(waiting.dropped + waiting.lines.len() as u64, 1_000);
        assert_eq!(queues.take().unwrap().0, (loud, LogSource::Access));
        assert!(queues.take().is_none() && queues.bytes() == 0);
    }

    #[test]
    fn all_together_have_a_bound() {
        let limits =
            LogLimits { queue_bytes: 10_000, total_queue_bytes: 40_000, ..LogLimits::default() };
        let mut queues = Queues::default();
        for at in 0..2_000_u64 {
            for tenant in 0..20 {
                queues.push((Uuid::from_u128(tenant), LogSource::Php), at, line("x"), &limits);
            }
        }
        assert!(queues.bytes() < 45_000, "{}", queues.bytes());
    }
}
