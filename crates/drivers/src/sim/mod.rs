//! The four drivers of one shard in memory, for tests of a thousand shards in one process.
//!
//! A [`SimWorld`] is the shard's machine: it keeps its state when the shard's control plane ends
//! and a new one is given a clone. Latency passes on tokio's clock, so that a paused clock makes
//! it free. Faults come by plan, never by chance. Deliberately absent: contents of files and rows.

mod cache;
mod database;
mod exec;
mod fault;
mod files;
mod packages;
mod php;
mod share;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_types::TenantSecrets;
use aipress_types::TenantUid;

pub use fault::Fault;
pub use fault::FaultKind;
pub use packages::SimPackage;

use self::fault::Plan;
use crate::Drivers;
use crate::database::BusySite;
use crate::database::DatabaseRoom;
use crate::error::DriverError;
use crate::exec::ExecCall;
use crate::exec::ExecOutput;
use crate::files::DiskHeld;
use crate::files::SiteConfig;
use crate::layout::Slot;
use crate::share::ShareMet;
use crate::share::SlotShare;
use crate::share::ToldLimit;

/// How long a real driver waits before it gives up a server that hangs.
const HANG_LIMIT: Duration = Duration::from_secs(30);

/// The simulated machine of one shard.
#[derive(Clone, Default)]
pub struct SimWorld {
    inner: Arc<Mutex<World>>,
}

impl std::fmt::Debug for SimWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimWorld").finish_non_exhaustive()
    }
}

/// All state; small, for there may be a thousand.
#[derive(Default)]
struct World {
    latency: Duration,
    plan: Plan,
    database: database::State,
    cache: cache::State,
    files: files::State,
    packages: packages::State,
    /// What databases take.
    rooms: BTreeMap<TenantUid, DatabaseRoom>,
    /// What each slot may have of the machine.
    shares: BTreeMap<Slot, SlotShare>,
    /// Free bytes of the disk, where it is not endless.
    free: Option<u64>,
    /// Sites whose queries keep the server busy, and those whose queries take too long.
    busy_queries: Vec<BusySite>,
    long_queries: Vec<TenantUid>,
    /// What a file system with quotas knows of its sites: what they may take in bytes, and take.
    quotas: BTreeMap<TenantUid, (u64, DiskHeld)>,
    /// Slots that may write nothing.
    full: BTreeSet<Slot>,
    /// What their sites were told.
    told: BTreeMap<Slot, Vec<ToldLimit>>,
    /// How often slots met their limits.
    met: BTreeMap<Slot, ShareMet>,
    workers: BTreeMap<Slot, u32>,
    /// How many of them are at a request that does not end.
    busy: BTreeMap<Slot, u32>,
    /// The slot whose site is never to be without its database and cache.
    watched: Option<Slot>,
    /// What credentials it must have access with besides those of its `site.json`.
    held: Option<SiteConfig>,
    /// Calls after which it was.
    outages: Vec<String>,
    /// Slots' own masters, each with how many are connected to it.
    masters: BTreeMap<Slot, u32>,
    /// Commands that were run in sandboxes, in order.
    commands: Vec<ExecCall>,
    /// When sites said that something of them changed.
    marks: BTreeMap<TenantUid, i64>,
    /// When sites want to be woken, as their marks say.
    cron_marks: BTreeMap<TenantUid, i64>,
    /// When their first scheduled event is due, as their databases say.
    cron_due: BTreeMap<TenantUid, i64>,
    /// What they answer.
    answers: Option<Answers>,
}

impl World {
    /// Whether the site in the slot reaches its database and cache with these credentials.
    fn accepts(&self, slot: Slot, config: &SiteConfig) -> bool {
        let uid: TenantUid = config.uid;
        self.files.is_linked(slot, uid)
            && self.database.accepts(uid, &config.db.password)
            && config.redis.as_ref().is_none_or(|redis| self.cache.accepts(uid, &redis.password))
    }

    /// Notes it when the watched site is without something after a call.
    fn look(&mut self, operation: &str) {
        let Some(slot) = self.watched else { return };
        let Some(config) = self.files.config(slot) else { return };
        let reaches = [Some(config), self.held.as_ref()].into_iter().flatten();
        if !reaches.into_iter().all(|config| self.accepts(slot, config)) {
            self.outages.push(operation.to_owned());
        }
    }
}

/// What a command answers.
type Answers = Box<dyn Fn(&ExecCall) -> ExecOutput + Send>;

impl SimWorld {
    /// A machine on which everything runs and nothing is there.
    pub fn new() -> Self {
        Self::default()
    }

    /// The drivers of this machine, for one life of the shard's control plane.
    pub fn drivers(&self) -> Drivers {
        let world = Arc::new(self.clone());
        Drivers {
            database: world.clone(),
            cache: world.clone(),
            php: world.clone(),
            files: world.clone(),
            exec: world.clone(),
            packages: world.clone(),
            share: world,
        }
    }

    /// Lets every call take this long.
    pub fn set_latency(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// Says what a site's database takes.
    pub fn set_room(&self, room: DatabaseRoom) {
        self.lock().rooms.insert(room.uid, room);
    }

    /// Gives the file system quotas, with which the site takes so much.
    pub fn set_held(&self, uid: TenantUid, held: DiskHeld) {
        self.lock().quotas.entry(uid).or_default().1 = held;
    }

    /// To how many bytes the file system holds a site.
    pub fn held_to(&self, uid: TenantUid) -> Option<u64> {
        self.lock().quotas.get(&uid).map(|(bytes_max, _)| *bytes_max)
    }

    /// Whether a slot carries the mark of a full one.
    pub fn is_full(&self, slot: Slot) -> bool {
        self.lock().full.contains(&slot)
    }

    /// Says how much of the disk is free.
    pub fn set_free(&self, bytes: u64) {
        self.lock().free = Some(bytes);
    }

    /// Sites whose queries keep the server busy from now on.
    pub fn set_busy_queries(&self, sites: &[BusySite]) {
        self.lock().busy_queries = sites.to_vec();
    }

    /// A query of this site takes too long, once.
    pub fn run_long_query(&self, uid: TenantUid) {
        self.lock().long_queries.push(uid);
    }

    /// The share that a slot was given last.
    pub fn share(&self, slot: Slot) -> Option<SlotShare> {
        self.lock().shares.get(&slot).copied()
    }

    /// Says how often a slot met its limits.
    pub fn set_met(&self, slot: Slot, met: ShareMet) {
        self.lock().met.insert(slot, met);
    }

    /// How a site's database may grow.
    pub fn room(&self, uid: TenantUid) -> Option<DatabaseRoom> {
        self.lock().rooms.get(&uid).copied()
    }

    /// Adds a fault. Faults are looked at in the order of adding; the first that matches counts.
    pub fn add_fault(&self, fault: Fault) {
        self.lock().plan.add(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.lock().plan.clear();
    }

    /// How often an operation (such as `database.ensure_site`) was called.
    pub fn calls(&self, operation: &str) -> u64 {
        self.lock().plan.calls(operation)
    }

    /// Starts workers in a slot, as requests would.
    pub fn start_workers(&self, slot: Slot, count: u32) {
        self.lock().workers.insert(slot, count);
    }

    /// Keeps this many of a slot's workers at their requests: they began with the `site.json` that
    /// the slot has now.
    pub fn set_busy(&self, slot: Slot, count: u32) {
        let mut world = self.lock();
        world.workers.insert(slot, count);
        world.busy.insert(slot, count);
        world.held = world.files.config(slot).filter(|_| count > 0).cloned();
    }

    /// From now on looks after each call whether the site in the slot reaches its database and
    /// cache, with its `site.json` and with what its busy workers read.
    pub fn watch(&self, slot: Slot) {
        self.lock().watched = Some(slot);
    }

    /// Calls after which the watched site did not.
    pub fn outages(&self) -> Vec<String> {
        self.lock().outages.clone()
    }

    /// Lets this many be connected to a slot's own master; nothing when it has none.
    pub fn set_connections(&self, slot: Slot, count: u32) {
        if let Some(connections) = self.lock().masters.get_mut(&slot) {
            *connections = count;
        }
    }

    /// Ends a slot's own master, as somebody who was not asked would.
    pub fn kill_master(&self, slot: Slot) {
        self.lock().masters.remove(&slot);
    }

    /// Lets commands in sandboxes answer this.
    pub fn answer_commands(&self, answers: impl Fn(&ExecCall) -> ExecOutput + Send + 'static) {
        self.lock().answers = Some(Box::new(answers));
    }

    /// Has a site say that something of it changed.
    pub fn mark_changed(&self, uid: TenantUid, at: i64) {
        self.lock().marks.insert(uid, at);
    }

    /// Has a site say when it wants to be woken.
    pub fn mark_cron(&self, uid: TenantUid, due: Option<i64>) {
        let marks = &mut self.lock().cron_marks;
        match due {
            Some(due) => marks.insert(uid, due),
            None => marks.remove(&uid),
        };
    }

    /// Lays down when a site's first scheduled event is due, by its database.
    pub fn set_cron_due(&self, uid: TenantUid, due: Option<i64>) {
        let dues = &mut self.lock().cron_due;
        match due {
            Some(due) => dues.insert(uid, due),
            None => dues.remove(&uid),
        };
    }

    /// Commands that were run in sandboxes, in order.
    pub fn commands(&self) -> Vec<ExecCall> {
        self.lock().commands.clone()
    }

    /// What stands for the rows of a site's database; `None` without one.
    pub fn database_version(&self, uid: TenantUid) -> Option<u32> {
        self.lock().database.version_mut(uid).copied()
    }

    /// Changes the rows of a site's database, as its PHP would.
    pub fn set_database_version(&self, uid: TenantUid, version: u32) {
        if let Some(found) = self.lock().database.version_mut(uid) {
            *found = version;
        }
    }

    /// What PHP would read in a slot.
    pub fn site_config(&self, slot: Slot) -> Option<SiteConfig> {
        self.lock().files.config(slot).cloned()
    }

    /// Whether a site could sign in to its database and cache with the credentials of its slot.
    pub fn can_serve(&self, slot: Slot) -> bool {
        let world = self.lock();
        world.files.config(slot).is_some_and(|config| world.accepts(slot, config))
    }

    /// Whether a site's database, and its cache, take the passwords of these secrets.
    pub fn accepts(&self, uid: TenantUid, secrets: &TenantSecrets) -> (bool, bool) {
        let world = self.lock();
        (
            world.database.accepts(uid, &secrets.db_password),
            world.cache.accepts(uid, &secrets.redis_password),
        )
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A test that panicked while it held the lock has failed already; others go on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: latency, fault, effect. The effect is one step under the lock, so that a call
    /// that is given up while it waits has happened wholly or not at all.
    async fn call<T>(
        &self,
        operation: &'static str,
        effect: impl FnOnce(&mut World) -> Result<T, DriverError>,
    ) -> Result<T, DriverError> {
        let (latency, fault) = {
            let mut world = self.lock();
            (world.latency, world.plan.next(operation))
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let effect = |world: &mut World| {
            let done = effect(world);
            world.look(operation);
            done
        };
        match fault {
            None => effect(&mut self.lock()),
            Some(FaultKind::Fail) => Err(DriverError::unavailable(operation, "simulated outage")),
            Some(FaultKind::Refuse) => Err(DriverError::conflict(operation, "simulated conflict")),
            Some(FaultKind::LoseAnswer) => {
                effect(&mut self.lock())?;
                Err(DriverError::unavailable(operation, "simulated loss of the answer"))
            }
            Some(FaultKind::Interrupt) => {
                // Only this operation has a half; a mark left by another would meet a later call.
                if operation == "database.ensure_site" {
                    self.lock().database.interrupt_next();
                }
                match effect(&mut self.lock()) {
                    Ok(_) => Err(DriverError::unavailable(operation, "simulated interruption")),
                    Err(error) => Err(error),
                }
            }
            Some(FaultKind::Hang) => {
                tokio::time::sleep(HANG_LIMIT).await;
                Err(DriverError::Timeout { what: operation.to_owned(), after: HANG_LIMIT })
            }
        }
    }
}

#[cfg(test)]
mod tests;

/// Opens the archive that a site is made of, as the real drivers do.
async fn open_content(content: &crate::content::Content) -> Result<(), crate::error::DriverError> {
    let source = std::sync::Arc::clone(&content.source);
    let opened = tokio::task::spawn_blocking(move || source.open().map(drop)).await;
    opened.map_err(|error| crate::error::DriverError::failed("open the archive", error))?
}
