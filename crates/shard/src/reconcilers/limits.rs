//! Holds each site to what its tier takes of the machine, and tells its people which limit it met.
//!
//! CPU, memory and processes are the kernel's to hold; here they are set and what was met is read.
//! Disk, database and cache have no such keeper on every machine: they are looked at, and a site
//! that is over its limit loses the right to write more, never the right to read and delete.
//! The disk is in `limits/disk.rs`.

mod disk;
mod scarce;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::Severity;
use aipress_drivers::BusySite;
use aipress_drivers::DatabaseGrowth;
use aipress_drivers::DriverError;
use aipress_drivers::ShareMet;
use aipress_drivers::Slot;
use aipress_drivers::SlotShare;
use aipress_drivers::Told;
use aipress_drivers::ToldLimit;
use aipress_types::TenantUid;
use aipress_types::tier::TierLimits;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::disk::Held;
use self::disk::Walked;
use self::scarce::Scarcity;
use crate::plane::Plane;

/// Between two looks for workers that were started: until then one is held by nothing but its own
/// limits.
const PLACE: Duration = Duration::from_millis(100);
/// Between two looks at the disk.
const LOOK: Duration = Duration::from_secs(1);
/// Databases and what was met are looked at every so many looks, as is a cache that grows slowly.
const SERVERS_EACH: u32 = 5;
/// A site that was full may write again below this part of its limit, not at once on its edge.
const AGAIN_PERCENT: u64 = 98;
/// How long what happened in a moment is told: whoever looks finds it.
const TOLD: Duration = Duration::from_secs(600);
/// A query of a site that runs longer is ended; a session may raise its own limit of 30 s.
const QUERY_MAX: Duration = Duration::from_secs(120);
/// CPU is said to be short when a site had to wait in this part of the time that it wanted some.
const THROTTLED_PERCENT: u64 = 50;
/// And when it wanted some for a while: periods of 100 ms between two looks.
const PERIODS_MIN: u64 = 20;
/// Who wants more CPU than it has weighs so many times less than others of its tier: a page that
/// needs a core for a moment is before what needs one all the time. A part stays, so that what it
/// holds meanwhile is let go in time.
const HUNGRY_PART: u32 = 10;
/// For so long after it was short last.
const HUNGRY: Duration = Duration::from_secs(60);
/// A site that filled the cache may write to it again after this.
const CACHE_REST: Duration = Duration::from_secs(60);
/// How much of the cache is taken before anybody is weighed.
const CACHE_FULL_PERCENT: u64 = 50;

/// By how much it grows between two looks before they are weighed at once, and not each fifth time.
const CACHE_GREW_PERCENT: u64 = 2;

/// What a site can run into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    Disk,
    /// The disk of the server, which is everybody's.
    Server,
    Database,
    Cache,
    Memory,
    Processes,
    Cpu,
    Query,
    Queries,
}

/// What is known of one site.
#[derive(Debug, Default)]
struct Site {
    share: Option<SlotShare>,
    disk: Option<Walked>,
    quota: Option<Held>,
    is_full: bool,
    met: ShareMet,
    /// It wants more CPU than it has.
    hungry_until: Option<Instant>,
    /// Bytes of its database when it was first seen without the right to add.
    database_then: Option<u64>,
    cache_until: Option<Instant>,
    /// What it meets now or met a moment ago, in words, and until when that is told.
    told: BTreeMap<Limit, (String, Option<Instant>)>,
    sentences: Vec<String>,
}

/// Puts workers into their groups until `stop`.
pub(crate) async fn place(plane: Arc<Plane>, stop: CancellationToken) {
    let mut failed = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PLACE) => {}
        }
        let placed = plane.drivers.share.place().await;
        if let (Err(error), false) = (&placed, failed) {
            tracing::warn!(%error, "workers are not held to their sites' shares");
        }
        failed = placed.is_err();
    }
}

/// Looks until `stop`, beginning with what is known.
pub(crate) async fn run(plane: Arc<Plane>, mut limits: Limits, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        limits.look(&plane).await;
    }
}

/// A site that sits in a slot.
#[derive(Debug, Clone)]
struct Seated {
    uid: TenantUid,
    slot: Slot,
    limits: TierLimits,
}

#[derive(Debug, Default)]
pub(crate) struct Limits {
    sites: BTreeMap<TenantUid, Site>,
    looks: u32,
    scarcity: Scarcity,
    /// How any database may grow, as of the last look at them.
    databases_at_most: Option<DatabaseGrowth>,
    /// Bytes of the cache at the last look.
    cache_used: u64,
    /// What failed last, so that it is said once.
    complained: BTreeSet<&'static str>,
}

impl Limits {
    /// What sites were told before this process began. Called before anything is reported: a limit
    /// that is met as before is no news, nor is it over because nobody has looked yet.
    pub(crate) async fn recall(plane: &Plane) -> Self {
        let mut limits = Self::default();
        for seat in seated(plane) {
            match plane.drivers.share.told(seat.slot).await {
                Ok(told) => {
                    let site = Site::recalled(&told);
                    plane.tenants.limits_set(seat.uid, &site.sentences);
                    limits.sites.insert(seat.uid, site);
                }
                Err(error) => {
                    let uid = seat.uid;
                    tracing::warn!(%uid, %error, "what the site was told of its limits is unknown");
                }
            }
        }
        limits
    }

    /// Looks once at everything that is due.
    pub(crate) async fn look(&mut self, plane: &Plane) {
        let seated = seated(plane);
        self.sites.retain(|uid, _| seated.iter().any(|seat| seat.uid == *uid));
        self.looks = self.looks.wrapping_add(1);
        let shares = self.shares(plane, &seated).await;
        self.note("shares", shares);
        let disks = self.disks(plane, &seated).await;
        self.note("disk", disks);
        let queries = self.queries(plane).await;
        self.note("queries", queries);
        let cache = self.cache(plane, &seated).await;
        self.note("cache", cache);
        let is_due = self.looks % SERVERS_EACH == 1;
        // A disk that gets short does not wait for their turn.
        if is_due || self.databases_at_most != Some(self.scarcity.growth()) {
            let databases = self.databases(plane, &seated).await;
            self.note("databases", databases);
        }
        let relieved = self.scarcity.relieve(plane).await;
        self.note("relieve", relieved);
        if is_due {
            let met = self.met(plane, &seated).await;
            self.note("met", met);
        }
        let told = self.tell(plane, &seated).await;
        self.note("told", told);
    }

    fn note(&mut self, what: &'static str, done: Result<(), DriverError>) {
        match done {
            Ok(()) => drop(self.complained.remove(what)),
            Err(error) => {
                if self.complained.insert(what) {
                    tracing::warn!(what, %error, "sites are not held to their limits");
                }
            }
        }
    }

    /// CPU, memory and processes: set when they are news.
    async fn shares(&mut self, plane: &Plane, seated: &[Seated]) -> Result<(), DriverError> {
        for seat in seated {
            let site = self.sites.entry(seat.uid).or_default();
            let is_hungry = site.hungry_until.is_some_and(|until| until > Instant::now());
            let wanted = SlotShare {
                cpu_weight: seat.limits.cpu_weight / if is_hungry { HUNGRY_PART } else { 1 },
                cpu_millis: seat.limits.cpu_millis,
                memory_bytes: seat.limits.memory_bytes,
                processes: seat.limits.processes,
            };
            if site.share != Some(wanted) {
                plane.drivers.share.ensure_share(seat.slot, &wanted).await?;
                // What a former tenant of the slot met is not this one's.
                site.met = plane.drivers.share.share_met(seat.slot).await?;
                site.share = Some(wanted);
            }
        }
        Ok(())
    }

    async fn databases(&mut self, plane: &Plane, seated: &[Seated]) -> Result<(), DriverError> {
        let database = &plane.drivers.database;
        let at_most = self.scarcity.growth();
        for room in database.rooms().await? {
            let Some(seat) = seated.iter().find(|seat| seat.uid == room.uid) else { continue };
            let site = self.sites.entry(seat.uid).or_default();
            let limit = seat.limits.database_bytes;
            let own = growth(room.bytes, limit, room.growth, site.database_then);
            site.database_then =
                (own == DatabaseGrowth::Updates).then(|| site.database_then.unwrap_or(room.bytes));
            let wanted = own.max(at_most);
            if wanted != room.growth {
                database.set_growth(seat.uid, wanted).await?;
            }
            let words = (own != DatabaseGrowth::Free).then(|| {
                format!(
                    "The site's database takes {}, its tier has {}: nothing can be added until rows \
                     are deleted.",
                    size(room.bytes),
                    size(seat.limits.database_bytes)
                )
            });
            site.hold(Limit::Database, words);
        }
        self.databases_at_most = Some(at_most);
        for uid in database.end_long_queries(QUERY_MAX).await? {
            if let Some(site) = self.sites.get_mut(&uid) {
                let limit = QUERY_MAX.as_secs();
                site.happened(
                    Limit::Query,
                    format!("A query of the database took longer than {limit} s and was ended."),
                );
            }
        }
        Ok(())
    }

    /// Of queries that keep the database server busy a few may run at once. Workers without a
    /// connection would only make pages that fail: they are as few, so that pages wait instead.
    async fn queries(&mut self, plane: &Plane) -> Result<(), DriverError> {
        let mut held = BTreeMap::new();
        for BusySite { uid, queries, is_held } in plane.drivers.database.calm_queries().await? {
            if is_held {
                held.insert(uid, queries);
            }
            if let Some(site) = self.sites.get_mut(&uid) {
                let words = "The site's queries keep the database server busy: a few run at once, \
                             the others are ended.";
                site.happened(Limit::Queries, words.to_owned());
            }
        }
        if plane.tenants.hold_workers(&held) {
            plane.sites_changed();
        }
        Ok(())
    }

    async fn cache(&mut self, plane: &Plane, seated: &[Seated]) -> Result<(), DriverError> {
        let cache = &plane.drivers.cache;
        let now = Instant::now();
        for (uid, site) in &mut self.sites {
            if site.cache_until.is_some_and(|until| until <= now) {
                cache.set_writing(*uid, true).await?;
                site.cache_until = None;
                site.hold(Limit::Cache, None);
            }
        }
        let room = cache.room().await?;
        let percent = room.max_bytes / 100;
        let then = std::mem::replace(&mut self.cache_used, room.used_bytes);
        let grew = room.used_bytes > then + percent * CACHE_GREW_PERCENT;
        let is_due = grew || self.looks % SERVERS_EACH == 1;
        if !is_due || room.used_bytes < percent * CACHE_FULL_PERCENT {
            return Ok(());
        }
        for (uid, bytes) in cache.weigh().await? {
            let Some(seat) = seated.iter().find(|seat| seat.uid == uid) else { continue };
            let most = room.max_bytes / 100 * u64::from(seat.limits.cache_percent);
            if bytes <= most {
                continue;
            }
            cache.set_writing(uid, false).await?;
            cache.empty(uid).await?;
            let site = self.sites.entry(uid).or_default();
            site.cache_until = Some(now + CACHE_REST);
            site.hold(
                Limit::Cache,
                Some(format!(
                    "The site's object cache took {}, its tier has {}: it was emptied and rests for \
                     a minute.",
                    size(bytes),
                    size(most)
                )),
            );
        }
        Ok(())
    }

    /// What the kernel counted since the last look.
    async fn met(&mut self, plane: &Plane, seated: &[Seated]) -> Result<(), DriverError> {
        for seat in seated {
            let met = plane.drivers.share.share_met(seat.slot).await?;
            let site = self.sites.entry(seat.uid).or_default();
            let before = std::mem::replace(&mut site.met, met);
            if met.memory_kills > before.memory_kills {
                let most = size(seat.limits.memory_bytes);
                site.happened(
                    Limit::Memory,
                    format!("PHP needed more than {most} of memory; a request was ended."),
                );
            }
            if met.process_refusals > before.process_refusals {
                let most = seat.limits.processes;
                site.happened(
                    Limit::Processes,
                    format!("The site tried to run more than {most} processes at once."),
                );
            }
            let periods = met.cpu_periods.saturating_sub(before.cpu_periods);
            let waited = met.cpu_throttled.saturating_sub(before.cpu_throttled);
            if periods >= PERIODS_MIN && waited * 100 > periods * THROTTLED_PERCENT {
                site.hungry_until = Some(Instant::now() + HUNGRY);
                let cores = f64::from(seat.limits.cpu_millis) / 1000.0;
                site.happened(
                    Limit::Cpu,
                    format!("PHP uses all of the CPU that the tier has ({cores} cores) and waits."),
                );
            }
        }
        Ok(())
    }

    /// Tells whoever is concerned what is news.
    async fn tell(&mut self, plane: &Plane, seated: &[Seated]) -> Result<(), DriverError> {
        let now = Instant::now();
        for seat in seated {
            let site = self.sites.entry(seat.uid).or_default();
            site.told.retain(|_, (_, until)| until.is_none_or(|until| until > now));
            let sentences: Vec<String> =
                site.told.values().map(|(words, _)| words.clone()).collect();
            // At first in any case: what was told may not have been read.
            if site.sentences != sentences || self.looks == 1 {
                let told: Vec<ToldLimit> =
                    site.told.iter().map(|(limit, (words, _))| limit.told(words)).collect();
                plane.drivers.share.tell_limits(seat.slot, &told).await?;
                for words in sentences.iter().filter(|words| !site.sentences.contains(words)) {
                    plane.tell(seat.uid, Severity::Warning, words.clone());
                }
                site.sentences = sentences;
            }
            plane.tenants.limits_set(seat.uid, &site.sentences);
        }
        Ok(())
    }
}

/// Names of limits, for the next control plane.
const NAMES: [(Limit, &str); 9] = [
    (Limit::Disk, "disk"),
    (Limit::Server, "server"),
    (Limit::Database, "database"),
    (Limit::Cache, "cache"),
    (Limit::Memory, "memory"),
    (Limit::Processes, "processes"),
    (Limit::Cpu, "cpu"),
    (Limit::Query, "query"),
    (Limit::Queries, "queries"),
];

impl Limit {
    fn told(self, words: &str) -> ToldLimit {
        let name = NAMES.iter().find(|(limit, _)| *limit == self).map_or("", |(_, name)| name);
        ToldLimit { limit: name.to_owned(), words: words.to_owned() }
    }
}

impl Site {
    /// One of which the control plane before this one knew so much.
    fn recalled(told: &Told) -> Self {
        let mut site = Self { is_full: told.is_full, ..Self::default() };
        let now = Instant::now();
        for ToldLimit { limit, words } in &told.limits {
            let Some((limit, _)) = NAMES.iter().find(|(_, name)| name == limit) else { continue };
            let until = match limit {
                // Looked at again before anything is told.
                Limit::Disk | Limit::Server | Limit::Database => None,
                Limit::Cache => {
                    site.cache_until = Some(now + CACHE_REST);
                    None
                }
                // When it happened is not known: it is told for a while longer.
                _ => Some(now + TOLD),
            };
            site.told.insert(*limit, (words.clone(), until));
        }
        site.sentences = site.told.values().map(|(words, _)| words.clone()).collect();
        site
    }

    /// What holds as long as it is said again.
    fn hold(&mut self, limit: Limit, words: Option<String>) {
        match words {
            // The first words stay: figures that change all the time are no news.
            Some(words) => drop(self.told.entry(limit).or_insert((words, None))),
            None => drop(self.told.remove(&limit)),
        }
    }

    /// What happened in a moment.
    fn happened(&mut self, limit: Limit, words: String) {
        self.told.insert(limit, (words, Some(Instant::now() + TOLD)));
    }
}

/// Sites that sit in slots and are whole.
fn seated(plane: &Plane) -> Vec<Seated> {
    let tenants = plane.tenants.list();
    let seats = tenants.iter().filter(|tenant| tenant.entry.built && !tenant.entry.aside);
    seats
        .filter_map(|tenant| {
            let intent = &tenant.entry.intent;
            let limits = plane.config.limits.over(intent.spec.tier.limits());
            Some(Seated { uid: intent.uid, slot: Slot::new(tenant.entry.slot?)?, limits })
        })
        .collect()
}

/// What a database may do at this size. Over its limit it takes no new rows; when it grows by a
/// tenth all the same since `then`, its rows may not change either, or it would have no limit.
fn growth(bytes: u64, limit: u64, now: DatabaseGrowth, then: Option<u64>) -> DatabaseGrowth {
    let is_over = bytes >= limit;
    match now {
        DatabaseGrowth::Free if is_over => DatabaseGrowth::Updates,
        DatabaseGrowth::Free => DatabaseGrowth::Free,
        _ if bytes <= limit / 100 * AGAIN_PERCENT => DatabaseGrowth::Free,
        DatabaseGrowth::Nothing if is_over => DatabaseGrowth::Nothing,
        _ if then.is_some_and(|then| bytes >= then + limit / 10) => DatabaseGrowth::Nothing,
        _ => DatabaseGrowth::Updates,
    }
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests;
