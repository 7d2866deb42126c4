//! `supervisor.sock`: what `status` and `down` of the command line talk to.
//!
//! One request for each connection, a line of JSON; then lines of replies: any
//! number of [`Reply::Change`] while something is being done, and one of the
//! others at the end. Only root and the supervisor's own user are answered
//! (`SO_PEERCRED`); the socket's mode says the same.

mod client;
mod server;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sockets::SocketError;
use crate::status::{Snapshot, UnitStatus};

pub use client::{call, shutdown, status};
pub(crate) use server::Server;

/// Longest request, bytes.
const REQUEST_MAX_BYTES: u64 = 4 << 10;

/// Longest reply, bytes: a snapshot with the last lines of every unit's log.
const REPLY_MAX_BYTES: u64 = 8 << 20;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How everything is.
    Status,
    /// End a unit, and wait until it is ended.
    Stop {
        /// Its name.
        unit: String,
    },
    /// Start a unit, and wait until it is up.
    Start {
        /// Its name.
        unit: String,
    },
    /// End a unit and start it again, and wait until it is up.
    Restart {
        /// Its name.
        unit: String,
    },
    /// End everything, and wait until it is ended.
    Shutdown,
}

/// A line of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A unit changed meanwhile.
    Change(UnitStatus),
    /// It is done; how everything is now.
    Done(Snapshot),
    /// It was not done.
    Error(String),
}

/// Why a supervisor could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody answers on that folder.
    #[error("nothing runs on {}", .0.display())]
    NotRunning(PathBuf),
    /// The socket is another user's.
    #[error("only root and the user who started it may control what runs on {}", .0.display())]
    NotPermitted(PathBuf),
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    Timeout(std::time::Duration),
    /// The socket could not be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Talking failed.
    #[error("talk to the supervisor: {0}")]
    Io(#[from] io::Error),
}

/// Where a supervisor of this run folder listens: there while it runs.
pub fn socket_path(run_dir: &Path) -> PathBuf {
    run_dir.join("supervisor.sock")
}
