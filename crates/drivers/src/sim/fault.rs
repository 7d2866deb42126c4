//! Faults by plan: which call of which operation goes wrong, and how.

use std::collections::HashMap;
use std::ops::RangeInclusive;

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing happens; a retryable error at once.
    Fail,
    /// Nothing happens; an error that no retry helps against.
    Refuse,
    /// It happens, and the caller hears of an error (the connection broke before the answer).
    LoseAnswer,
    /// It happens by half (`database.ensure_site` leaves a database that is not complete; other
    /// operations as with [`LoseAnswer`](Self::LoseAnswer)).
    Interrupt,
    /// Nothing happens; a time-out after a long wait.
    Hang,
}

/// A fault of certain calls.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Operation such as `database.ensure_site`, a group such as `database.`, or empty for all.
    pub operation: &'static str,
    /// Which calls that match, from 1, counted since the fault was added.
    pub calls: RangeInclusive<u64>,
    /// How they go wrong.
    pub kind: FaultKind,
}

impl Fault {
    /// The next call of an operation goes wrong.
    pub fn once(operation: &'static str, kind: FaultKind) -> Self {
        Self { operation, calls: 1..=1, kind }
    }

    /// Every call of an operation goes wrong until the faults are cleared.
    pub fn always(operation: &'static str, kind: FaultKind) -> Self {
        Self { operation, calls: 1..=u64::MAX, kind }
    }

    fn matches(&self, operation: &str) -> bool {
        if self.operation.is_empty() || self.operation.ends_with('.') {
            operation.starts_with(self.operation)
        } else {
            operation == self.operation
        }
    }
}

/// The faults to come and the calls so far.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    faults: Vec<(Fault, u64)>,
    calls: HashMap<&'static str, u64>,
}

impl Plan {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.faults.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn calls(&self, operation: &str) -> u64 {
        self.calls.get(operation).copied().unwrap_or(0)
    }

    /// Counts a call and says how it goes wrong.
    pub(crate) fn next(&mut self, operation: &'static str) -> Option<FaultKind> {
        *self.calls.entry(operation).or_default() += 1;
        let mut found = None;
        for (fault, seen) in self.faults.iter_mut().filter(|(f, _)| f.matches(operation)) {
            *seen += 1;
            if found.is_none() && fault.calls.contains(seen) {
                found = Some(fault.kind);
            }
        }
        found
    }
}
