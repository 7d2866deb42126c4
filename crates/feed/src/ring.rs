//! The outbox in memory: one task reads each new event once, for every follower.
//!
//! - Followers share the newest events (a bounded ring of encoded events); none has a queue.
//! - A follower that is further behind than the ring reads the registry, at its own pace.
//! - Nothing here is lost by a restart: a place in the feed is the number of an event.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::RwLock;
use std::time::Duration;

use aipress_api::EventView;
use aipress_store::EventFilter;
use aipress_store::EventRecord;
use aipress_store::Store;
use aipress_store::StoreError;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::frame::frame;

/// Events kept in memory, by count and by size: some seconds of a busy platform.
const RING_EVENTS: usize = 8_192;
const RING_BYTES: usize = 16 * 1024 * 1024;
/// Events of one read.
const BATCH: u32 = 500;
/// Reads are this far apart at least, so that many changes wake a thousand followers once.
const PACE: Duration = Duration::from_millis(25);
/// Reads again without a signal, should one be lost, or a read have failed.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Events that a follower takes at once.
const TAKEN: usize = 64;

/// The newest events.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    ring: RwLock<Ring>,
    newest: watch::Sender<u64>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    /// Without gaps: everything after the first one's number is here.
    events: VecDeque<Shared>,
    bytes: usize,
    /// Number of the last event that was read; `None` before the first read.
    newest: Option<u64>,
}

/// An event as followers share it.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The event.
    pub record: Arc<EventRecord>,
    /// The same as a server-sent event.
    pub frame: Bytes,
}

impl Shared {
    fn new(record: EventRecord) -> Self {
        let frame = framed(&record);
        Self { record: Arc::new(record), frame }
    }
}

/// What a follower gets.
#[derive(Debug, Default)]
pub struct Taken {
    /// Events that fit, oldest first.
    pub events: Vec<Shared>,
    /// Everything up to here was looked at.
    pub upto: u64,
}

impl Feed {
    /// The feed of this registry; [`Feed::run`] fills it.
    pub fn new(store: Store) -> Self {
        Self { store, ring: RwLock::default(), newest: watch::Sender::new(0), wake: Notify::new() }
    }

    /// Reads what is new, until `drain`.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) {
        loop {
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "events not read; trying again");
            }
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(PACE) => {}
            }
            tokio::select! {
                () = drain.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// There may be something new in the registry.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Tells when there is something new in the feed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Some events after `last` that fit, oldest first.
    ///
    /// # Errors
    /// When the follower is behind the ring and the registry can't be read.
    pub async fn after(&self, last: u64, filter: &EventFilter) -> Result<Taken, StoreError> {
        let newest = match self.ring_after(last, filter) {
            Ok(taken) => return Ok(taken),
            Err(newest) => newest,
        };
        let limit = u32::try_from(TAKEN).unwrap_or(u32::MAX);
        let events = self.store.events_after(last, filter, limit).await?;
        let found = events.last().map_or(last, |event| event.id);
        // A page that is not full has seen everything that the ring has.
        let upto = if events.len() < TAKEN { found.max(newest) } else { found };
        Ok(Taken { events: events.into_iter().map(Shared::new).collect(), upto })
    }

    /// What the ring has; the error is the newest number when it does not reach back to `last`.
    fn ring_after(&self, last: u64, filter: &EventFilter) -> Result<Taken, u64> {
        let ring = self.ring.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(newest) = ring.newest else {
            return Ok(Taken { events: Vec::new(), upto: last });
        };
        if last >= newest {
            return Ok(Taken { events: Vec::new(), upto: last });
        }
        let oldest = ring.events.front().map_or(newest + 1, |event| event.record.id);
        if last + 1 < oldest {
            return Err(newest);
        }
        let mut taken = Taken { events: Vec::new(), upto: last };
        let begin = ring.events.partition_point(|event| event.record.id <= last);
        for event in ring.events.range(begin..) {
            if taken.events.len() == TAKEN {
                return Ok(taken);
            }
            taken.upto = event.record.id;
            if filter.fits(&event.record.event) {
                taken.events.push(event.clone());
            }
        }
        Ok(taken)
    }

    fn push(&self, events: Vec<EventRecord>) {
        let mut ring = self.ring.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for record in events {
            ring.newest = Some(record.id);
            let event = Shared::new(record);
            ring.bytes += event.frame.len();
            ring.events.push_back(event);
        }
        while ring.events.len() > RING_EVENTS || ring.bytes > RING_BYTES {
            let Some(gone) = ring.events.pop_front() else { break };
            ring.bytes -= gone.frame.len();
        }
    }

    async fn read(&self) -> Result<(), StoreError> {
        let known = self.ring.read().map_or(None, |ring| ring.newest);
        let mut last = match known {
            Some(last) => last,
            // What was before this process began is in the registry for who wants it.
            None => {
                let last = self.store.events_last_id().await?;
                if let Ok(mut ring) = self.ring.write() {
                    ring.newest = Some(last);
                }
                last
            }
        };
        loop {
            let events = self.store.events_after(last, &EventFilter::default(), BATCH).await?;
            let Some(newest) = events.last().map(|event| event.id) else { break };
            let full = events.len() == BATCH as usize;
            last = newest;
            self.push(events);
            if !full {
                break;
            }
        }
        self.newest.send_if_modified(|newest| std::mem::replace(newest, last) != last);
        Ok(())
    }
}

/// An event on the wire.
pub fn view(record: &EventRecord) -> EventView {
    let event = &record.event;
    EventView {
        id: record.id.to_string(),
        at: event.at,
        kind: event.kind.clone(),
        tenant: event.tenant.map(|uid| uid.0),
        shard: event.shard.map(|shard| shard.to_string()),
        account: event.account.map(|account| account.0),
        data: event.data.clone(),
    }
}

/// The same as a server-sent event. Without a name, so that a browser's `onmessage` hears all.
fn framed(record: &EventRecord) -> Bytes {
    let data = serde_json::to_string(&view(record)).unwrap_or_default();
    frame(Some(&record.id.to_string()), None, Some(&data))
}
