//! How a server of the shard is to be started. The supervisor starts it and sets the ids; nothing
//! here starts anything that stays.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::error::DriverError;
use crate::uids::UnixIds;

/// A process that the supervisor starts for a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitCommand {
    /// The program's absolute path.
    pub program: PathBuf,
    /// Its arguments, the program not included. No secrets.
    pub args: Vec<String>,
    /// The whole environment (nothing is inherited). No secrets.
    pub env: Vec<(String, String)>,
    /// File mode creation mask (`umask(2)`) that the process is started with.
    pub umask: u32,
    /// Whom it runs as. Supplementary groups are cleared.
    pub ids: UnixIds,
    /// Socket whose answering means ready.
    pub socket: PathBuf,
}

/// Steers the units that run only when asked for. The supervisor's side is the binary's.
#[async_trait]
pub trait UnitControl: Send + Sync {
    /// Starts a unit unless it runs; it is ready when this returns. It is started again when it
    /// dies, until it is stopped.
    async fn start(&self, unit: &str) -> Result<(), DriverError>;

    /// Ends a unit; no process of it is left when this returns. One that does not run stays so.
    async fn stop(&self, unit: &str) -> Result<(), DriverError>;
}
