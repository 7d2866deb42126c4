//! What units are doing, as people and programs see it.
//!
//! One snapshot for the whole supervisor, watched by the units themselves (who
//! waits for whom), by [`crate::Handle`] and by the control socket, all of
//! which see the same words.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use crate::unit::Unit;

/// Where a unit is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// Not begun: what it comes after is not ready yet.
    Waiting,
    /// Prepared, begun, not ready yet.
    Starting,
    /// Up.
    Ready,
    /// Dead; will be started again.
    Backoff,
    /// Asked to end.
    Stopping,
    /// Ended because that was asked for.
    Stopped,
    /// Dead too often in a row; left so until somebody starts it.
    Failed,
}

impl fmt::Display for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

/// One unit now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// The unit's name.
    pub name: String,
    /// Where it is in its life.
    pub state: UnitState,
    /// Since when, milliseconds of the Unix epoch.
    pub since_unix_ms: u64,
    /// Its leader's process id, while there is one.
    pub pid: Option<u32>,
    /// How often it was started again without being asked.
    pub restarts: u64,
    /// Counts the starts that somebody asked for; an answer to "is it up
    /// *again*" compares it.
    pub generation: u64,
    /// What it waits for, in words.
    pub detail: Option<String>,
    /// How it last ended or failed to start by itself.
    pub last_exit: Option<LastExit>,
    /// Whether it runs only while somebody asks for it.
    #[serde(default)]
    pub on_demand: bool,
}

/// The end of a unit that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExit {
    /// When, milliseconds of the Unix epoch.
    pub at_unix_ms: u64,
    /// Why, in words.
    pub reason: String,
    /// The last lines of its log then.
    pub log_tail: Vec<String>,
}

/// A listening socket that the supervisor holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketStatus {
    /// The unit that gets it.
    pub unit: String,
    /// Its name there.
    pub name: String,
    /// Path, or address with the true port.
    pub address: String,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The supervisor's process id.
    pub pid: u32,
    /// When it began, milliseconds of the Unix epoch.
    pub since_unix_ms: u64,
    /// Whether it is on its way down.
    pub closing: bool,
    /// Every unit, in the order in which they were given.
    pub units: Vec<UnitStatus>,
    /// Every listening socket.
    pub sockets: Vec<SocketStatus>,
}

impl Snapshot {
    /// The unit of that name.
    pub fn unit(&self, name: &str) -> Option<&UnitStatus> {
        self.units.iter().find(|unit| unit.name == name)
    }

    /// Whether every unit is up that should be.
    pub fn is_ready(&self) -> bool {
        self.units.iter().all(|unit| unit.state == UnitState::Ready || unit.is_idle())
    }

    /// Whether all of these have ended and will not begin again by themselves.
    pub(crate) fn all_ended(&self, names: &[String]) -> bool {
        names.iter().filter_map(|name| self.unit(name)).all(UnitStatus::is_ended)
    }
}

impl UnitStatus {
    /// Whether it is down, or about to be, because nobody asks for it.
    pub fn is_idle(&self) -> bool {
        self.on_demand && matches!(self.state, UnitState::Stopped | UnitState::Stopping)
    }

    pub(crate) fn new(name: &str, on_demand: bool) -> Self {
        Self {
            name: name.to_owned(),
            state: if on_demand { UnitState::Stopped } else { UnitState::Waiting },
            since_unix_ms: now_unix_ms(),
            pid: None,
            restarts: 0,
            generation: 0,
            detail: None,
            last_exit: None,
            on_demand,
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.state, UnitState::Stopped | UnitState::Failed)
    }
}

/// Where units write what they do.
#[derive(Debug)]
pub(crate) struct Board {
    snapshot: watch::Sender<Snapshot>,
    changes: broadcast::Sender<UnitStatus>,
}

/// How many changes a slow listener may be behind before it misses some.
const CHANGES_KEPT: usize = 256;

impl Board {
    pub(crate) fn new(units: &[Arc<Unit>], sockets: Vec<SocketStatus>) -> Self {
        let snapshot = Snapshot {
            pid: std::process::id(),
            since_unix_ms: now_unix_ms(),
            closing: false,
            units: units.iter().map(|unit| UnitStatus::new(&unit.name, unit.on_demand)).collect(),
            sockets,
        };
        Self {
            snapshot: watch::Sender::new(snapshot),
            changes: broadcast::Sender::new(CHANGES_KEPT),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.subscribe()
    }

    pub(crate) fn changes(&self) -> broadcast::Receiver<UnitStatus> {
        self.changes.subscribe()
    }

    pub(crate) fn close(&self) {
        self.snapshot.send_modify(|snapshot| snapshot.closing = true);
    }

    /// Changes one unit; a new state gets the time of day. What changes
    /// nothing is told to nobody.
    pub(crate) fn update(&self, name: &str, change: impl FnOnce(&mut UnitStatus)) {
        let mut changed = None;
        self.snapshot.send_if_modified(|snapshot| {
            let Some(unit) = snapshot.units.iter_mut().find(|unit| unit.name == name) else {
                return false;
            };
            let before = unit.clone();
            change(unit);
            if unit.state != before.state {
                unit.since_unix_ms = now_unix_ms();
            }
            changed = (*unit != before).then(|| unit.clone());
            changed.is_some()
        });
        if let Some(unit) = changed {
            let reason = unit.last_exit.as_ref().map(|exit| exit.reason.as_str());
            tracing::info!(unit.name, unit.state = %unit.state, unit.pid, unit.detail, last_exit = reason, "unit");
            // Nobody listening is no error.
            let _ = self.changes.send(unit);
        }
    }
}

/// The time of day; only ever shown, never reckoned with.
pub(crate) fn now_unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
