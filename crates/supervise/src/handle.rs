//! The hand on a running supervisor: look, stop, start, restart, close.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Wish;
use crate::status::{Board, Snapshot, UnitState, UnitStatus};

/// A name that is no unit's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no unit is called {0}")]
pub struct UnknownUnit(pub String);

/// Units that were not up in time, with what is known of why.
#[derive(Debug, thiserror::Error)]
pub struct NotReady {
    /// Those that are not up.
    pub units: Vec<UnitStatus>,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, unit) in self.units.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}unit {} is {}", unit.name, unit.state)?;
            if let Some(detail) = &unit.detail {
                write!(f, ": {detail}")?;
            }
            if let Some(exit) = &unit.last_exit {
                write!(f, "\n  last end: {}", exit.reason)?;
                for line in &exit.log_tail {
                    write!(f, "\n  | {line}")?;
                }
            }
        }
        Ok(())
    }
}

/// Looks at and steers the units of a supervisor. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    board: Arc<Board>,
    wishes: Arc<BTreeMap<String, watch::Sender<Wish>>>,
    closing: CancellationToken,
}

impl Handle {
    pub(crate) fn new(board: Arc<Board>, wishes: BTreeMap<String, watch::Sender<Wish>>) -> Self {
        Self { board, wishes: Arc::new(wishes), closing: CancellationToken::new() }
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Everything as it is now.
    pub fn status(&self) -> Snapshot {
        self.board.watch().borrow().clone()
    }

    /// Everything, as it changes; states that last for a moment may be missed.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.board.watch()
    }

    /// Every change of a unit, for showing progress; a listener that is far
    /// behind loses some.
    pub fn changes(&self) -> broadcast::Receiver<UnitStatus> {
        self.board.changes()
    }

    /// Waits until every unit that should be is up at one moment.
    pub async fn ready(&self, within: Duration) -> Result<(), NotReady> {
        let mut snapshots = self.board.watch();
        let all_up = snapshots.wait_for(Snapshot::is_ready);
        if let Ok(Ok(_)) = tokio::time::timeout(within, all_up).await {
            return Ok(());
        }
        let mut units = self.status().units;
        units.retain(|unit| unit.state != UnitState::Ready && !unit.is_idle());
        Err(NotReady { units })
    }

    /// Ends a unit; it stays down until it is started.
    pub fn stop(&self, name: &str) -> Result<(), UnknownUnit> {
        self.wish(name, |wish| wish.run = false).map(drop)
    }

    /// Starts a unit that was stopped or has failed, or that waits to be
    /// started again; one that is up stays so. Gives the generation of the
    /// start (see [`UnitStatus::generation`]).
    pub fn start(&self, name: &str) -> Result<u64, UnknownUnit> {
        let status = self.status();
        let idle = status.unit(name).is_some_and(|unit| {
            unit.is_ended() || matches!(unit.state, UnitState::Backoff | UnitState::Stopping)
        });
        self.wish(name, |wish| {
            if idle || !wish.run {
                *wish = Wish { run: true, generation: wish.generation + 1 };
            }
        })
    }

    /// Ends a unit and starts it again. Gives the generation of the start.
    pub fn restart(&self, name: &str) -> Result<u64, UnknownUnit> {
        self.wish(name, |wish| *wish = Wish { run: true, generation: wish.generation + 1 })
    }

    /// Ends everything, in reverse order.
    pub fn shutdown(&self) {
        self.board.close();
        self.closing.cancel();
    }

    fn wish(&self, name: &str, change: impl FnOnce(&mut Wish)) -> Result<u64, UnknownUnit> {
        let wish = self.wishes.get(name).ok_or_else(|| UnknownUnit(name.to_owned()))?;
        wish.send_if_modified(|wish| {
            let before = *wish;
            change(wish);
            *wish != before
        });
        Ok(wish.borrow().generation)
    }
}
