//! The tenants of this shard: what was asked of each, which slot it sits in, what was observed.
//! Every change of intent or slot is on disk before it is acted on or acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::TenantIntent;
use aipress_types::TenantObserved;
use aipress_types::TenantUid;
use tokio::sync::Notify;

use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::JournalError;

/// One tenant as this shard knows it.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) entry: Arc<Entry>,
    pub(crate) observed: TenantObserved,
    /// Whether the latest observation still has to reach meta.
    pub(crate) unreported: bool,
    /// Workers that it may have, while it takes the database server from the others.
    pub(crate) workers_held: Option<u32>,
}

impl Tenant {
    /// Whether the current intent is reality, as far as was seen.
    pub(crate) fn converged(&self) -> bool {
        self.observed.phase == ObservedPhase::Converged
            && self.observed.generation == self.entry.intent.generation
            && self.observed.placement_epoch == self.entry.intent.placement_epoch
    }
}

/// What became of an intent that somebody sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is news and is on disk.
    New,
    /// It is the one that is held.
    Same,
    /// A newer one is held; it was refused.
    Stale,
}

/// All slots are taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SlotError {
    #[error("all {0} slots of the shard are taken")]
    Full(u32),
    #[error("the tenant is not known here")]
    Unknown,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The table of tenants.
#[derive(Debug)]
pub(crate) struct Tenants {
    table: Mutex<BTreeMap<TenantUid, Tenant>>,
    journal: Journal,
    slots: u32,
    /// Woken when an observation is news for meta.
    pub(crate) observed: Notify,
}

impl Tenants {
    /// The table as the journal has it.
    pub(crate) fn load(journal: Journal, slots: u32) -> Result<Self, JournalError> {
        let (entries, damaged) = journal.load()?;
        for error in damaged {
            tracing::error!(%error, "an intent on disk is damaged; waiting for meta to send it again");
        }
        let table = entries
            .into_iter()
            .map(|entry| {
                let observed = unseen(&entry);
                let tenant = Tenant {
                    entry: Arc::new(entry),
                    observed,
                    unreported: false,
                    workers_held: None,
                };
                (tenant.entry.intent.uid, tenant)
            })
            .collect();
        Ok(Self { table: Mutex::new(table), journal, slots, observed: Notify::new() })
    }

    /// Takes an intent unless a newer one is held.
    pub(crate) fn accept(&self, intent: TenantIntent) -> Result<Accepted, JournalError> {
        let mut table = self.lock();
        let entry = match table.get(&intent.uid) {
            Some(held) if !intent.supersedes(&held.entry.intent) => return Ok(Accepted::Stale),
            Some(held) if intent == held.entry.intent => return Ok(Accepted::Same),
            Some(held) => held.entry.asked(intent),
            None => Entry::new(intent),
        };
        self.journal.write(&entry)?;
        let (uid, observed) = (entry.intent.uid, unseen(&entry));
        let workers_held = table.get(&uid).and_then(|tenant| tenant.workers_held);
        let entry = Arc::new(entry);
        table.insert(uid, Tenant { entry, observed, unreported: false, workers_held });
        Ok(Accepted::New)
    }

    /// The slot of the tenant; takes the lowest free one when it has none.
    pub(crate) fn slot_take(&self, uid: TenantUid) -> Result<u32, SlotError> {
        let mut table = self.lock();
        let taken: Vec<u32> = table.values().filter_map(|tenant| tenant.entry.slot).collect();
        let tenant = table.get_mut(&uid).ok_or(SlotError::Unknown)?;
        if let Some(slot) = tenant.entry.slot {
            return Ok(slot);
        }
        let free = (1..=self.slots)
            .find(|slot| !taken.contains(slot))
            .ok_or(SlotError::Full(self.slots))?;
        self.keep(tenant, |entry| entry.slot = Some(free))?;
        Ok(free)
    }

    /// Changes what is kept of a tenant, durably. One that is not there is left so.
    pub(crate) fn update(
        &self,
        uid: TenantUid,
        change: impl FnOnce(&mut Entry),
    ) -> Result<(), JournalError> {
        match self.lock().get_mut(&uid) {
            Some(tenant) => self.keep(tenant, change),
            None => Ok(()),
        }
    }

    fn keep(
        &self,
        tenant: &mut Tenant,
        change: impl FnOnce(&mut Entry),
    ) -> Result<(), JournalError> {
        let mut entry = Entry::clone(&tenant.entry);
        change(&mut entry);
        if entry != *tenant.entry {
            self.journal.write(&entry)?;
            tenant.observed.slot = entry.slot;
            tenant.entry = Arc::new(entry);
        }
        Ok(())
    }

    /// Records which limits a site meets.
    pub(crate) fn limits_set(&self, uid: TenantUid, limits: &[String]) {
        let mut table = self.lock();
        let Some(tenant) = table.get_mut(&uid) else { return };
        if tenant.observed.limits != limits {
            tenant.observed.limits = limits.to_vec();
            tenant.unreported = true;
            drop(table);
            self.observed.notify_one();
        }
    }

    /// Records how many workers each of these may have at most, and all others as many as they
    /// have. Whether that is news.
    pub(crate) fn hold_workers(&self, held: &BTreeMap<TenantUid, u32>) -> bool {
        let mut is_news = false;
        for (uid, tenant) in self.lock().iter_mut() {
            let most = held.get(uid).copied();
            is_news |= tenant.workers_held != most;
            tenant.workers_held = most;
        }
        is_news
    }

    /// Records what was seen, unless the intent it was seen of is no longer the held one.
    pub(crate) fn observe(&self, observed: TenantObserved) {
        let mut table = self.lock();
        let Some(tenant) = table.get_mut(&observed.uid) else { return };
        if tenant.entry.intent.generation != observed.generation
            || tenant.entry.intent.placement_epoch != observed.placement_epoch
            || tenant.observed == observed
        {
            return;
        }
        tenant.observed = observed;
        tenant.unreported = true;
        drop(table);
        self.observed.notify_one();
    }

    /// Forgets a tenant whose erasure meta has recorded.
    pub(crate) fn forget(&self, uid: TenantUid) -> Result<(), JournalError> {
        let mut table = self.lock();
        let erased = table.get(&uid).is_some_and(|tenant| {
            tenant.entry.intent.desired == DesiredState::Erased && tenant.converged()
        });
        if erased {
            self.journal.remove(uid)?;
            table.remove(&uid);
        }
        Ok(())
    }

    /// Whether something that has not been reported is more than progress.
    pub(crate) fn has_outcome(&self) -> bool {
        self.lock()
            .values()
            .any(|tenant| tenant.unreported && tenant.observed.phase != ObservedPhase::Converging)
    }

    /// What has not been reported, marked as being reported; `all` takes everything.
    pub(crate) fn reports_take(&self, all: bool) -> Vec<TenantObserved> {
        let mut table = self.lock();
        table
            .values_mut()
            .filter(|tenant| all || tenant.unreported)
            .map(|tenant| {
                tenant.unreported = false;
                tenant.observed.clone()
            })
            .collect()
    }

    /// A report did not arrive: what was in it is unreported again.
    pub(crate) fn reports_return(&self, reports: &[TenantObserved]) {
        let mut table = self.lock();
        for report in reports {
            if let Some(tenant) = table.get_mut(&report.uid) {
                tenant.unreported = true;
            }
        }
    }

    /// One tenant.
    pub(crate) fn fetch(&self, uid: TenantUid) -> Option<Tenant> {
        self.lock().get(&uid).cloned()
    }

    /// All tenants, by uid.
    pub(crate) fn list(&self) -> Vec<Tenant> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantUid, Tenant>> {
        // Every change is made whole before anything can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unseen(entry: &Entry) -> TenantObserved {
    TenantObserved {
        uid: entry.intent.uid,
        generation: entry.intent.generation,
        placement_epoch: entry.intent.placement_epoch,
        phase: ObservedPhase::Converging,
        desired: entry.intent.desired,
        slot: entry.slot,
        wordpress_version: entry.core_version.clone(),
        steps: Vec::new(),
        message: None,
        serving: false,
        rolled_back: Vec::new(),
        limits: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
