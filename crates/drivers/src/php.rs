//! The shard's php-fpm, as the reconciler sees it: fifty pools that are always there, workers
//! that must not outlive their tenant, and masters of a slot's own for those who share no memory.

use async_trait::async_trait;

use crate::error::DriverError;
use crate::layout::Slot;

/// How a slot's workers end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recycle {
    /// At once, with everything else that runs as the slot's user: the tenant changes.
    Kill,
    /// After the request that they are at: settings change.
    Graceful,
}

/// A php-fpm worker that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhpWorker {
    /// Process id.
    pub pid: u32,
    /// The slot that it serves.
    pub slot: Slot,
    /// Whether its master is gone: it keeps its socket and goes on answering until ended.
    pub orphan: bool,
}

/// A process that runs for a slot's tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotProcess {
    /// Process id.
    pub pid: u32,
    /// When it began, in the kernel's ticks: another process of the same id has another.
    pub began: u64,
}

/// The shard's php-fpm.
#[async_trait]
pub trait Php: Send + Sync {
    /// Whether the master runs and listens. Starts no worker.
    async fn health(&self) -> Result<(), DriverError>;

    /// Ends the slot's processes and returns how many there were. With [`Recycle::Kill`] none that
    /// served a request before the call is left when it returns. Let the gateway stop sending to
    /// the slot first, or the next request makes the next one.
    async fn recycle_slot(&self, slot: Slot, how: Recycle) -> Result<u32, DriverError>;

    /// What runs for the slot's tenant: workers, and as root whatever else is the slot's user's (a
    /// `wp` command, what PHP started).
    async fn processes(&self, slot: Slot) -> Result<Vec<SlotProcess>, DriverError>;

    /// Has those of `seen` that are workers end after the request that they are at, and says how
    /// many of `seen` are left. Waits for none: to be called again until there are none.
    async fn retire(&self, slot: Slot, seen: &[SlotProcess]) -> Result<u32, DriverError>;

    /// All workers of this shard, of its master's pools and of slots' own masters.
    async fn inventory(&self) -> Result<Vec<PhpWorker>, DriverError>;

    /// Gives the slot a master of its own beside its pool in the shard's. It listens when this
    /// returns, on a socket of its own, and is started again when it dies.
    async fn ensure_master(&self, slot: Slot) -> Result<(), DriverError>;

    /// Whether the slot's own master runs and listens. Cheap; starts no worker.
    async fn master_health(&self, slot: Slot) -> Result<(), DriverError>;

    /// Ends the slot's own master and says whether it is gone: with [`Recycle::Graceful`] one that
    /// somebody is connected to is let be. Let the gateway stop sending to it first. A slot
    /// without one stays so.
    async fn end_master(&self, slot: Slot, how: Recycle) -> Result<bool, DriverError>;

    /// Slots that have a master of their own, whoever started it.
    async fn masters(&self) -> Result<Vec<Slot>, DriverError>;
}
