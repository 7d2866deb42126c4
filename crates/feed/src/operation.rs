//! Events of operations, read once for all who follow the same one.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;

use aipress_store::OperationEvent;
use aipress_store::Store;
use aipress_store::StoreError;
use aipress_types::OperationId;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::frame::frame;

/// Events kept of one operation; who is further behind reads the registry.
const KEPT: usize = 128;
/// Events of one read.
const BATCH: u32 = 64;
/// Reads of one operation are this far apart at least.
const PACE: Duration = Duration::from_millis(25);
/// Reads again without a signal, should one be lost.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The operations that somebody follows.
#[derive(Debug)]
pub struct OperationFeeds {
    store: Store,
    followed: Mutex<BTreeMap<OperationId, Weak<OperationFeed>>>,
}

/// One operation that is followed.
#[derive(Debug)]
pub struct OperationFeed {
    store: Store,
    id: OperationId,
    /// Counts signals.
    signals: watch::Sender<u64>,
    shared: Mutex<Shared>,
    /// Held while reading, so that one reads for all.
    reading: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Shared {
    events: VecDeque<(u64, Bytes)>,
    newest: u64,
    ended: bool,
    /// Signals up to this one are taken into account.
    signal: Option<u64>,
}

/// What a follower gets.
#[derive(Debug)]
pub enum Next {
    /// Events, each with its number.
    Events(Vec<(u64, Bytes)>),
    /// Nothing now.
    Quiet,
    /// Nothing ever more.
    Ended,
}

impl OperationFeeds {
    /// Nobody follows anything yet.
    pub fn new(store: Store) -> Self {
        Self { store, followed: Mutex::default() }
    }

    /// The feed of an operation, shared with whoever follows it already.
    pub fn follow(&self, id: OperationId) -> Arc<OperationFeed> {
        let mut feeds = self.lock();
        if let Some(feed) = feeds.get(&id).and_then(Weak::upgrade) {
            return feed;
        }
        // Those that nobody follows any more go when another one comes: there are never more
        // than twice as many as there are streams.
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(OperationFeed {
            store: self.store.clone(),
            id,
            signals: watch::Sender::new(0),
            shared: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        });
        feeds.insert(id, Arc::downgrade(&feed));
        feed
    }

    /// The operation has new events.
    pub fn wake(&self, id: OperationId) {
        let feed = self.lock().get(&id).and_then(Weak::upgrade);
        if let Some(feed) = feed {
            feed.signals.send_modify(|signal| *signal += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<OperationId, Weak<OperationFeed>>> {
        // Nothing panics while holding it.
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OperationFeed {
    /// Tells when to look again.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.signals.subscribe()
    }

    /// Events after `last`.
    ///
    /// # Errors
    /// When the registry can't be read.
    pub async fn after(&self, last: u64) -> Result<Next, StoreError> {
        if let Some(next) = self.known(last, false) {
            return self.whole(last, next).await;
        }
        let mut read_at = self.reading.lock().await;
        // Somebody else may have read meanwhile.
        let stale = read_at.is_none_or(|at| at.elapsed() >= LOOK_AGAIN);
        if let Some(next) = self.known(last, stale) {
            drop(read_at);
            return self.whole(last, next).await;
        }
        if let Some(at) = *read_at {
            tokio::time::sleep_until(at + PACE).await;
        }
        self.read().await?;
        *read_at = Some(Instant::now());
        drop(read_at);
        let next = self.known(last, false).unwrap_or(Next::Quiet);
        self.whole(last, next).await
    }

    /// What is known without reading; `None` when it must be read.
    fn known(&self, last: u64, stale: bool) -> Option<Next> {
        let signal = *self.signals.borrow();
        let shared = self.lock();
        if shared.newest > last {
            let newer = shared.events.iter().filter(|(seq, _)| *seq > last);
            return Some(Next::Events(newer.cloned().collect()));
        }
        if shared.ended {
            return Some(Next::Ended);
        }
        (!stale && shared.signal == Some(signal)).then_some(Next::Quiet)
    }

    /// Fills what the shared events do not reach back to.
    async fn whole(&self, last: u64, next: Next) -> Result<Next, StoreError> {
        match next {
            Next::Events(events) if events.first().is_none_or(|(seq, _)| *seq > last + 1) => {
                let events = self.store.operation_events_after(self.id, last, BATCH).await?;
                Ok(Next::Events(events.into_iter().map(framed).collect()))
            }
            next => Ok(next),
        }
    }

    async fn read(&self) -> Result<(), StoreError> {
        let signal = *self.signals.borrow();
        let store = &self.store;
        // State first: an operation that has ended gets no further events.
        let ended = store
            .operation_fetch(self.id)
            .await?
            .is_none_or(|operation| operation.state.is_finished());
        loop {
            let newest = self.lock().newest;
            let events = store.operation_events_after(self.id, newest, BATCH).await?;
            let full = events.len() == BATCH as usize;
            let mut shared = self.lock();
            for event in events {
                shared.newest = event.seq;
                shared.events.push_back(framed(event));
                if shared.events.len() > KEPT {
                    shared.events.pop_front();
                }
            }
            if !full {
                shared.ended = ended;
                shared.signal = Some(signal);
                return Ok(());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing panics while holding it.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn framed(event: OperationEvent) -> (u64, Bytes) {
    let data = serde_json::json!({
        "seq": event.seq,
        "kind": event.kind,
        "operation": event.data,
    });
    let frame = frame(Some(&event.seq.to_string()), Some(&event.kind), Some(&data.to_string()));
    (event.seq, frame)
}
