//! What each slot may take of its machine, as the shard sees it: CPU, memory, processes, and
//! whether it may still write to disk.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::error::DriverError;
use crate::layout::Slot;

/// A slot's share of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotShare {
    /// CPU when others want it, too: against the others' weights.
    pub cpu_weight: u32,
    /// CPU at most, in thousandths of one core.
    pub cpu_millis: u32,
    /// Memory of all its processes, in bytes.
    pub memory_bytes: u64,
    /// Its processes and threads at once.
    pub processes: u32,
}

/// How often a slot met its limits since it has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShareMet {
    /// Parts of a second in which it wanted CPU.
    pub cpu_periods: u64,
    /// Those in which it had to wait for the next.
    pub cpu_throttled: u64,
    /// Processes that were killed for want of memory.
    pub memory_kills: u64,
    /// Processes that could not be started.
    pub process_refusals: u64,
}

/// What of a share this machine holds a slot to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShareControls {
    /// CPU.
    pub cpu: bool,
    /// Memory of all processes of a slot together.
    pub memory: bool,
    /// Processes, by a group.
    pub processes: bool,
}

/// A limit that a site meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldLimit {
    /// Which, by a name that the next control plane knows.
    pub limit: String,
    /// The sentence for people.
    pub words: String,
}

/// What a slot's site was told last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Whether it carries the mark that it may write nothing.
    pub is_full: bool,
    /// The limits that it meets.
    pub limits: Vec<ToldLimit>,
}

/// Holds slots to their shares.
#[async_trait]
pub trait Share: Send + Sync {
    /// What this machine can hold a slot to beyond limits of single processes, which it always can.
    fn controls(&self) -> ShareControls;

    /// Puts a slot's share in force for what runs there now and later.
    async fn ensure_share(&self, slot: Slot, share: &SlotShare) -> Result<(), DriverError>;

    /// Puts processes that were started since the last call where their slot's share holds them.
    /// To be called all the time: php-fpm does not do it. Cheap when nothing was started.
    async fn place(&self) -> Result<(), DriverError>;

    /// Slots in which something runs.
    async fn busy(&self) -> Result<BTreeSet<Slot>, DriverError>;

    /// How often the slot met its limits.
    async fn share_met(&self, slot: Slot) -> Result<ShareMet, DriverError>;

    /// Lets a slot write files, or takes that away from all that runs there and will run: it can
    /// read and delete. Idempotent; looks at processes each time.
    async fn set_full(&self, slot: Slot, is_full: bool) -> Result<(), DriverError>;

    /// Free bytes of the disk that sites are on, as a slot's user has them.
    async fn free_bytes(&self) -> Result<u64, DriverError>;

    /// Bytes of the disk that sites are on, free or not.
    async fn total_bytes(&self) -> Result<u64, DriverError>;

    /// Tells the slot's site which limits it meets, one sentence for each, for its administrators.
    async fn tell_limits(&self, slot: Slot, limits: &[ToldLimit]) -> Result<(), DriverError>;

    /// What the slot's site was told last: by the control plane before this one, perhaps.
    async fn told(&self, slot: Slot) -> Result<Told, DriverError>;
}
