//! The route table in memory.
//!
//! 64 maps, each behind a lock of its own. A request takes one read lock for some 30 ns, and a
//! change of one host one write lock for as long: nothing is copied however many hosts there are.
//! (An immutable map behind one pointer would copy 50,000 entries for each change, or need a
//! second map above it with rounds of merging.) Hosts are independent of each other, so nobody
//! needs to see all maps at one instant.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use aipress_api::internal::RouteChanges;
use aipress_api::internal::RouteEntry;
use aipress_api::internal::RouteState;
use http::HeaderValue;

use crate::upstream::Upstream;
use crate::upstream::Upstreams;

const SHARDS: usize = 64;
/// `applied` of a table that knows nothing yet.
const NOTHING: u64 = 0;
/// `seq` before any log was heard.
const NO_SEQ: u64 = u64::MAX;

type Hosts = HashMap<Box<str>, Arc<Route>>;

/// One host, ready to be served.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) entry: RouteEntry,
    /// The tenant's uid as a header value.
    pub(crate) tenant: HeaderValue,
    /// The gateway; none when its address is no address.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// Requests for it under way.
    pub(crate) in_flight: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Table {
    shards: [RwLock<Hosts>; SHARDS],
    upstreams: Arc<Upstreams>,
    seq: AtomicU64,
    applied: AtomicU64,
    size: AtomicUsize,
}

impl Table {
    pub(crate) fn new(upstreams: Arc<Upstreams>) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            upstreams,
            seq: AtomicU64::new(NO_SEQ),
            applied: AtomicU64::new(NOTHING),
            size: AtomicUsize::new(0),
        }
    }

    /// The route of a host in the form of [`crate::host::Host::name`].
    pub(crate) fn get(&self, host: &str) -> Option<Arc<Route>> {
        read(&self.shards[shard_of(host)]).get(host).cloned()
    }

    /// Takes in what meta or the disk said.
    pub(crate) fn apply(&self, changes: RouteChanges) {
        if changes.snapshot {
            self.replace(changes.routes);
        } else {
            for entry in changes.routes {
                self.change(entry);
            }
        }
        self.seq.store(changes.seq, Ordering::Release);
        self.applied.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes in the answer to a question about an unknown host, unless the log moved on since
    /// `asked_at` ([`Table::applied`] before the question): the answer may be older than a
    /// tombstone that came meanwhile, and would bring back a host that is gone.
    pub(crate) fn learn(&self, entry: RouteEntry, asked_at: u64) -> Arc<Route> {
        let route = self.route(entry);
        let host = route.entry.host.as_str();
        let mut hosts = write(&self.shards[shard_of(host)]);
        if self.applied() == asked_at && !hosts.contains_key(host) {
            hosts.insert(host.into(), Arc::clone(&route));
            self.size.fetch_add(1, Ordering::Relaxed);
        }
        route
    }

    fn replace(&self, entries: Vec<RouteEntry>) {
        let mut fresh: [Hosts; SHARDS] = std::array::from_fn(|_| Hosts::new());
        for entry in entries.into_iter().filter(|entry| entry.state != RouteState::Gone) {
            // An unchanged route keeps its count of requests under way.
            let route = match self.get(&entry.host) {
                Some(same) if same.entry == entry => same,
                _ => self.route(entry),
            };
            let host = route.entry.host.as_str();
            fresh[shard_of(host)].insert(host.into(), route);
        }
        self.size.store(fresh.iter().map(HashMap::len).sum(), Ordering::Relaxed);
        for (shard, hosts) in self.shards.iter().zip(fresh) {
            let old = std::mem::replace(&mut *write(shard), hosts);
            // Outside of the lock: there may be many.
            drop(old);
        }
    }

    fn change(&self, entry: RouteEntry) {
        let host: Box<str> = entry.host.as_str().into();
        let route = (entry.state != RouteState::Gone).then(|| self.route(entry.clone()));
        let mut hosts = write(&self.shards[shard_of(&host)]);
        if let Some(known) = hosts.get(&host)
            && known.entry.tenant == entry.tenant
            && known.entry.placement_epoch > entry.placement_epoch
        {
            tracing::warn!(
                host = %host, known = known.entry.placement_epoch, told = entry.placement_epoch,
                "a route of an older placement is refused"
            );
            return;
        }
        let before = hosts.len();
        let replaced = match route {
            Some(route) => hosts.insert(host, route),
            None => hosts.remove(&host),
        };
        let after = hosts.len();
        drop(hosts);
        drop(replaced);
        if after > before {
            self.size.fetch_add(1, Ordering::Relaxed);
        } else if after < before {
            self.size.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn route(&self, entry: RouteEntry) -> Arc<Route> {
        let upstream = self.upstreams.at(&entry.upstream);
        if upstream.is_none() && entry.state == RouteState::Serving {
            tracing::error!(host = entry.host, address = entry.upstream, "gateway has no address");
        }
        let tenant = HeaderValue::from_str(&entry.tenant.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        Arc::new(Route { entry, tenant, upstream, in_flight: AtomicUsize::new(0) })
    }

    /// Number of the last change that is in, for meta. `None` when there was none yet.
    pub(crate) fn seq(&self) -> Option<u64> {
        Some(self.seq.load(Ordering::Acquire)).filter(|seq| *seq != NO_SEQ)
    }

    /// Counts how often the table changed; see [`Table::learn`].
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Whether anybody ever said what is in it. Before, an unknown host means nothing.
    pub(crate) fn is_loaded(&self) -> bool {
        self.applied() != NOTHING
    }

    /// Hosts in it.
    pub(crate) fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// All routes, to be written to disk. What changes meanwhile may be in or not.
    pub(crate) fn all(&self) -> Vec<Arc<Route>> {
        let mut all = Vec::with_capacity(self.size());
        for shard in &self.shards {
            all.extend(read(shard).values().cloned());
        }
        all
    }
}

/// FNV-1a: which lock is no secret, and the map within has a keyed hash of its own.
fn shard_of(host: &str) -> usize {
    let hash = host.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(hash >> 32).unwrap_or(0) % SHARDS
}

// A panic under the lock leaves a whole map: each change is one call.
fn read(shard: &RwLock<Hosts>) -> RwLockReadGuard<'_, Hosts> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Hosts>) -> RwLockWriteGuard<'_, Hosts> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
