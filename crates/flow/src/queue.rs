//! The keyed work queue: each key is worked on by one worker at a time, each wish for it is
//! honoured by a run that begins after the wish, and waiting keys are bounded by their number.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;

/// What a run of a key came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do until somebody adds the key again.
    Done,
    /// It failed; run it again after the back-off.
    Retry,
    /// Run it again after this long (not a failure).
    After(Duration),
}

#[derive(Debug)]
struct Entry {
    running: bool,
    wanted: bool,
    due: Instant,
    failures: u32,
}

#[derive(Debug)]
struct Inner<K> {
    entries: HashMap<K, Entry>,
    ready: VecDeque<K>,
}

/// A queue of keys to be looked at.
#[derive(Debug)]
pub struct WorkQueue<K> {
    inner: Mutex<Inner<K>>,
    changed: Notify,
    backoff: Backoff,
}

impl<K: Clone + Eq + Hash + Send + 'static> WorkQueue<K> {
    /// An empty queue whose failed keys come back after `backoff`.
    pub fn new(backoff: Backoff) -> Self {
        Self {
            inner: Mutex::new(Inner { entries: HashMap::new(), ready: VecDeque::new() }),
            changed: Notify::new(),
            backoff,
        }
    }

    /// Wishes for a run of `key` as soon as a worker is free; what it waited for is forgotten.
    pub fn add(&self, key: K) {
        self.add_after(key, Duration::ZERO);
    }

    /// Wishes for a run of `key` after `wait`, or earlier if it was wished for earlier.
    pub fn add_after(&self, key: K, wait: Duration) {
        let due = Instant::now() + wait;
        let mut inner = self.lock();
        let entry = inner.entries.entry(key).or_insert(Entry {
            running: false,
            wanted: false,
            due,
            failures: 0,
        });
        if !entry.wanted || due < entry.due {
            entry.due = due;
        }
        entry.wanted = true;
        drop(inner);
        self.changed.notify_one();
    }

    /// Keys that wait or are worked on.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether nothing waits or is worked on.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs `handler` on keys, at most `workers` at a time, until `stop`; runs under way are
    /// then waited for.
    pub async fn run<H, F>(self: Arc<Self>, workers: usize, stop: CancellationToken, handler: H)
    where
        H: Fn(K) -> F,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut running = tokio::task::JoinSet::new();
        loop {
            while running.len() < workers {
                let Some(key) = self.take() else { break };
                let work = handler(key.clone());
                running.spawn(async move { (key, work.await) });
            }
            let next_due = self.next_due();
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.changed.notified() => {}
                Some(ended) = running.join_next() => self.settle(ended),
                () = sleep_until(next_due), if running.len() < workers => {}
            }
        }
        while let Some(ended) = running.join_next().await {
            self.settle(ended);
        }
    }

    fn settle(&self, ended: Result<(K, Outcome), tokio::task::JoinError>) {
        match ended {
            Ok((key, outcome)) => self.finish(key, outcome),
            // The key is lost with the panic; whoever owns the queue adds it again on resync.
            Err(error) => tracing::error!(%error, "a run panicked"),
        }
    }

    /// The next due key, marked as being worked on.
    fn take(&self) -> Option<K> {
        let now = Instant::now();
        let mut inner = self.lock();
        if inner.ready.is_empty() {
            let mut due: Vec<(Instant, K)> = inner
                .entries
                .iter()
                .filter(|(_, entry)| entry.wanted && !entry.running && entry.due <= now)
                .map(|(key, entry)| (entry.due, key.clone()))
                .collect();
            due.sort_by_key(|(at, _)| *at);
            inner.ready = due.into_iter().map(|(_, key)| key).collect();
        }
        while let Some(key) = inner.ready.pop_front() {
            if let Some(entry) = inner.entries.get_mut(&key)
                && entry.wanted
                && !entry.running
            {
                entry.running = true;
                entry.wanted = false;
                return Some(key);
            }
        }
        None
    }

    fn finish(&self, key: K, outcome: Outcome) {
        let now = Instant::now();
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(&key) else { return };
        entry.running = false;
        let again = match outcome {
            Outcome::Done => {
                entry.failures = 0;
                None
            }
            Outcome::After(wait) => {
                entry.failures = 0;
                Some(now + wait)
            }
            Outcome::Retry => {
                entry.failures = entry.failures.saturating_add(1);
                Some(now + self.backoff.wait(entry.failures))
            }
        };
        match (entry.wanted, again) {
            (false, None) => {
                inner.entries.remove(&key);
            }
            (false, Some(due)) => {
                entry.wanted = true;
                entry.due = due;
            }
            // Somebody wished for it meanwhile: their time counts.
            (true, _) => {}
        }
        drop(inner);
        self.changed.notify_one();
    }

    fn next_due(&self) -> Option<Instant> {
        self.lock()
            .entries
            .values()
            .filter(|entry| entry.wanted && !entry.running)
            .map(|entry| entry.due)
            .min()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        // Nothing panics while holding it; a poisoned lock still guards a whole map.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
