//! The simulated php-fpm: counts of workers, and which slots have a master of their own.

use async_trait::async_trait;

use super::SimWorld;
use crate::error::DriverError;
use crate::layout::Slot;
use crate::php::Php;
use crate::php::PhpWorker;
use crate::php::Recycle;
use crate::php::SlotProcess;

/// Stable and unlike any other slot's.
fn pid(slot: Slot, number: u32) -> u32 {
    slot.number() * 1000 + number
}

#[async_trait]
impl Php for SimWorld {
    async fn health(&self) -> Result<(), DriverError> {
        self.call("php.health", |_| Ok(())).await
    }

    async fn recycle_slot(&self, slot: Slot, _how: Recycle) -> Result<u32, DriverError> {
        self.call("php.recycle_slot", |world| Ok(world.workers.remove(&slot).unwrap_or(0))).await
    }

    async fn processes(&self, slot: Slot) -> Result<Vec<SlotProcess>, DriverError> {
        self.call("php.processes", |world| {
            let count = world.workers.get(&slot).copied().unwrap_or(0);
            Ok((0..count).map(|number| SlotProcess { pid: pid(slot, number), began: 0 }).collect())
        })
        .await
    }

    async fn retire(&self, slot: Slot, seen: &[SlotProcess]) -> Result<u32, DriverError> {
        self.call("php.retire", |world| {
            let busy = world.busy.get(&slot).copied().unwrap_or(0);
            let count = world.workers.get(&slot).copied().unwrap_or(0).min(busy);
            world.workers.insert(slot, count);
            let left = (0..count).filter(|n| seen.iter().any(|one| one.pid == pid(slot, *n)));
            Ok(u32::try_from(left.count()).unwrap_or(u32::MAX))
        })
        .await
    }

    async fn inventory(&self) -> Result<Vec<PhpWorker>, DriverError> {
        self.call("php.inventory", |world| {
            let mut workers = Vec::new();
            for (slot, count) in &world.workers {
                for number in 0..*count {
                    let pid = pid(*slot, number);
                    workers.push(PhpWorker { pid, slot: *slot, orphan: false });
                }
            }
            Ok(workers)
        })
        .await
    }

    async fn ensure_master(&self, slot: Slot) -> Result<(), DriverError> {
        self.call("php.ensure_master", |world| {
            world.masters.entry(slot).or_default();
            Ok(())
        })
        .await
    }

    async fn master_health(&self, slot: Slot) -> Result<(), DriverError> {
        self.call("php.master_health", |world| match world.masters.contains_key(&slot) {
            true => Ok(()),
            false => Err(DriverError::unavailable("look at php-fpm", "it does not run")),
        })
        .await
    }

    async fn end_master(&self, slot: Slot, how: Recycle) -> Result<bool, DriverError> {
        self.call("php.end_master", |world| {
            let busy = world.masters.get(&slot).is_some_and(|connections| *connections > 0);
            if busy && how == Recycle::Graceful {
                return Ok(false);
            }
            world.masters.remove(&slot);
            Ok(true)
        })
        .await
    }

    async fn masters(&self) -> Result<Vec<Slot>, DriverError> {
        self.call("php.masters", |world| Ok(world.masters.keys().copied().collect())).await
    }
}
