//! A process supervisor as a library; it knows nothing of sites or databases.
//!
//! The binary describes [`Unit`]s and runs them: [`InstanceLock::acquire`],
//! [`Supervisor::open`], [`Supervisor::run`]. Its `main` calls [`exec_unit`]
//! first of all for [`EXEC_VERB`]. The command line looks and steers through
//! [`control`].
//!
//! Invariants:
//! - No unit is started while a process of an earlier start of it lives.
//! - Nothing is killed that is not proven ours.
//! - Listening sockets live as long as the supervisor: a killed unit refuses
//!   nobody.
//! - Killed itself, the supervisor leaves its units serving; the next one ends
//!   them as their policy says and takes over.
//! - After [`Supervisor::run`] no process is left.
//!
//! Deliberately absent: `PR_SET_PDEATHSIG` (see `process`), pipes for output
//! (see `process::open_log`), cgroups and systemd (another implementation, for
//! machines that give them), checks of a unit's health after it was ready
//! (whoever uses it knows better).

mod backoff;
pub mod control;
mod descriptors;
mod exec;
mod handle;
mod instance_lock;
mod leftovers;
mod lifecycle;
mod logs;
mod memory;
mod plan;
mod process;
mod procfs;
mod record;
mod sessions;
mod sockets;
mod status;
mod supervisor;
mod sweep;
mod unit;

pub use backoff::{AfterDeath, Backoff, DeathCount};
pub use control::ControlError;
pub use exec::{EXEC_VERB, exec_unit};
pub use handle::{Handle, NotReady, UnknownUnit};
pub use instance_lock::{Holder, InstanceLock, LockError};
pub use leftovers::LeftoverError;
pub use logs::LineSink;
pub use plan::{PlanError, SOCKET_PATH_MAX_BYTES, SOCKETS_MAX};
pub use sockets::{PortOwner, SocketError};
pub use status::{LastExit, Snapshot, SocketStatus, UnitState, UnitStatus};
pub use supervisor::{Notice, OpenError, Options, RunError, Supervisor};
pub use sweep::SweepError;
pub use unit::{
    Credentials, Explain, LogFile, Prepare, Readiness, Rlimit, RlimitResource, SocketAddress,
    SocketSpec, Step, StepResult, StopPolicy, StopSignal, Unit,
};
