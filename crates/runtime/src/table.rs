//! The sites that are served: an immutable snapshot, swapped whole, read without a lock.
//!
//! What a site counts while it runs (workers, spooled bytes) outlives the snapshots: it belongs to
//! the uid. So does where its pool is: a request that waited while the site got another pool goes
//! to the new one, and the old one has no more requests to come.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

use arc_swap::ArcSwap;

use crate::{
    admission::{Admission, Permit},
    client::without_port,
    config::RuntimeConfig,
    php,
    site::Site,
};

/// A site with what it counts and what is computed once for all of its requests.
#[derive(Debug)]
pub struct SiteEntry {
    /// The site.
    pub site: Site,
    pub(crate) workers: Arc<Admission>,
    pub(crate) spooled: Arc<AtomicU64>,
    /// The socket of its pool now, which may be newer than this snapshot's.
    pub(crate) pool: Arc<ArcSwap<PathBuf>>,
    /// The FastCGI parameters that are the same for every request, encoded.
    pub(crate) constant_params: Vec<u8>,
}

impl SiteEntry {
    /// Turns of workers, so that `wanted` of them are in use where as many are free.
    pub fn turns(&self, wanted: usize) -> Vec<Permit> {
        let missing = wanted.saturating_sub(self.workers.running());
        std::iter::from_fn(|| self.workers.try_acquire()).take(missing).collect()
    }
}

/// Two sites that claim the same host; the first keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConflict {
    /// The host, in lower case and without port.
    pub host: String,
    /// Whose it stays.
    pub kept: Arc<str>,
    /// Who does not get it.
    pub refused: Arc<str>,
}

#[derive(Debug, Default)]
struct Snapshot {
    by_uid: HashMap<Arc<str>, Arc<SiteEntry>>,
    by_host: HashMap<String, Arc<SiteEntry>>,
}

/// The sites that a [`crate::SiteService`] serves.
#[derive(Debug)]
pub struct SiteTable {
    current: ArcSwap<Snapshot>,
    queue_len: usize,
    server_addr: String,
}

impl SiteTable {
    /// A table without sites.
    pub fn new(config: &RuntimeConfig) -> Self {
        Self {
            current: ArcSwap::default(),
            queue_len: config.queue_len,
            server_addr: config.server_addr.clone(),
        }
    }

    /// Takes these sites in place of all that were there. Requests that run keep what they had.
    ///
    /// Call from one task at a time, with the whole list: the shard's state is level-triggered.
    pub fn replace(&self, sites: Vec<Site>) -> Vec<HostConflict> {
        let before = self.current.load_full();
        let mut conflicts = Vec::new();
        let mut next = Snapshot::default();
        for site in sites {
            let entry = Arc::new(self.entry(site, &before));
            for host in &entry.site.hosts {
                let host = without_port(host).to_ascii_lowercase();
                match next.by_host.get(&host) {
                    Some(first) if first.site.uid != entry.site.uid => {
                        conflicts.push(HostConflict {
                            host,
                            kept: Arc::clone(&first.site.uid),
                            refused: Arc::clone(&entry.site.uid),
                        });
                    }
                    _ => {
                        next.by_host.insert(host, Arc::clone(&entry));
                    }
                }
            }
            next.by_uid.insert(Arc::clone(&entry.site.uid), entry);
        }
        self.current.store(Arc::new(next));
        conflicts
    }

    /// The site of a tenant's uid.
    pub fn by_uid(&self, uid: &str) -> Option<Arc<SiteEntry>> {
        self.current.load().by_uid.get(uid).cloned()
    }

    /// The site of a host in any case, with or without port.
    pub fn by_host(&self, host: &str) -> Option<Arc<SiteEntry>> {
        let host = without_port(host);
        let current = self.current.load();
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return current.by_host.get(&host.to_ascii_lowercase()).cloned();
        }
        current.by_host.get(host).cloned()
    }

    /// How many sites there are.
    pub fn len(&self) -> usize {
        self.current.load().by_uid.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For every site its uid, how many of its requests are in PHP, and how many wait for that.
    pub fn load(&self) -> Vec<(Arc<str>, usize, usize)> {
        let current = self.current.load();
        let load = |entry: &Arc<SiteEntry>| {
            (Arc::clone(&entry.site.uid), entry.workers.running(), entry.workers.waiting())
        };
        current.by_uid.values().map(load).collect()
    }

    fn entry(&self, site: Site, before: &Snapshot) -> SiteEntry {
        let constant_params = php::params::constant(&site, &self.server_addr);
        let (workers, spooled, pool) = match before.by_uid.get(&site.uid) {
            Some(known) => {
                known.workers.set_limit(site.max_workers);
                if **known.pool.load() != site.fpm_socket {
                    known.pool.store(Arc::new(site.fpm_socket.clone()));
                }
                (Arc::clone(&known.workers), Arc::clone(&known.spooled), Arc::clone(&known.pool))
            }
            None => (
                Admission::new(site.max_workers, self.queue_len),
                Arc::default(),
                Arc::new(ArcSwap::from_pointee(site.fpm_socket.clone())),
            ),
        };
        SiteEntry { site, workers, spooled, pool, constant_params }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(uid: &str, hosts: &[&str]) -> Site {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        Site { hosts, ..Site::new(uid, uid, 1) }
    }

    #[test]
    fn finds_by_host_and_uid() {
        let table = SiteTable::new(&RuntimeConfig::default());
        let conflicts = table.replace(vec![
            site("a", &["Bakery.localhost:8080", "www.bakery.localhost"]),
            site("b", &["bakery.localhost", "b.localhost"]),
        ]);
        let uid = |host: &str| table.by_host(host).map(|entry| entry.site.uid.to_string());
        assert_eq!(uid("bakery.LOCALHOST").as_deref(), Some("a"));
        assert_eq!(uid("www.bakery.localhost:1").as_deref(), Some("a"));
        assert_eq!(uid("b.localhost:8080").as_deref(), Some("b"));
        assert_eq!(uid("localhost"), None);
        assert!(table.by_uid("b").is_some() && table.by_uid("c").is_none());
        assert_eq!(conflicts.len(), 1);
        assert_eq!((&*conflicts[0].kept, &*conflicts[0].refused), ("a", "b"));
    }

    #[tokio::test]
    async fn counts_outlive_a_snapshot() {
        let table = SiteTable::new(&RuntimeConfig::default());
        table.replace(vec![Site { max_workers: 1, ..site("a", &[]) }]);
        let entry = table.by_uid("a").unwrap();
        let wait = std::time::Duration::ZERO;
        let _permit = entry.workers.acquire(wait).await.unwrap();
        table.replace(vec![Site { max_workers: 1, ..site("a", &[]) }]);
        assert!(table.by_uid("a").unwrap().workers.acquire(wait).await.is_err());
        table.replace(vec![Site { max_workers: 2, ..site("a", &[]) }]);
        assert!(table.by_uid("a").unwrap().workers.acquire(wait).await.is_ok());
        table.replace(Vec::new());
        assert!(table.is_empty());
    }

    #[test]
    fn who_waited_goes_to_the_pool_of_now() {
        let table = SiteTable::new(&RuntimeConfig::default());
        let at = |socket: &str| vec![Site { fpm_socket: socket.into(), ..site("a", &[]) }];
        table.replace(at("/run/01.sock"));
        let waits = table.by_uid("a").unwrap();
        table.replace(at("/run/01-own.sock"));
        assert_eq!(**waits.pool.load(), PathBuf::from("/run/01-own.sock"));
    }
}
