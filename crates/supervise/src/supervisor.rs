//! The whole: opened, run, closed.
//!
//! Opening touches nothing before everything is known to be possible: the lock
//! is held, the units make sense, the leftovers of a killed run are ended, every
//! socket is bound. Running never fails because of a unit. Closing ends every
//! unit in reverse order and leaves no process behind.
//!
//! A process may have one supervisor: it makes the process a subreaper and
//! ends every orphan that belongs to no unit. It needs a tokio runtime, on
//! which it is nearly always asleep.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::control::{self, ControlError};
use crate::handle::Handle;
use crate::instance_lock::InstanceLock;
use crate::leftovers::{self, LeftoverError};
use crate::lifecycle::{Lifecycle, Wish};
use crate::logs::{self, LineSink};
use crate::memory::Kills;
use crate::plan::{self, PlanError};
use crate::process::Launcher;
use crate::procfs;
use crate::record::RecordDir;
use crate::sessions::Sessions;
use crate::sockets::{ListenSocket, SocketError};
use crate::status::{Board, SocketStatus};
use crate::sweep::SweepError;
use crate::unit::Unit;

/// A stray is noticed when a child ends, or at the latest after this.
const STRAYS_LOOK: Duration = Duration::from_secs(30);

/// How long people who wait for the end are told of it.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// Tells a person what is going on, one line at a time.
#[derive(Clone, Default)]
pub struct Notice(Option<Arc<dyn Fn(String) + Send + Sync>>);

impl Notice {
    /// Gives each line to a function, beside the trace that it always gets.
    pub fn new(say: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(say)))
    }

    pub(crate) fn say(&self, line: String) {
        tracing::info!("{line}");
        if let Some(say) = &self.0 {
            say(line);
        }
    }
}

/// What a supervisor is made of.
pub struct Options {
    /// The folder's lock; its folder takes the records and the control socket.
    pub lock: InstanceLock,
    /// What is to run.
    pub units: Vec<Unit>,
    /// The program that answers to [`crate::EXEC_VERB`]. The default,
    /// `/proc/self/exe`, is this very program even after its file was replaced.
    pub helper: PathBuf,
    /// Told of leftovers that are ended (a database may take a minute).
    pub notice: Notice,
    /// Gets each line that a unit writes, for a supervisor in the foreground.
    pub forward: Option<LineSink>,
}

impl Options {
    /// These units under that lock, with the defaults above.
    pub fn new(lock: InstanceLock, units: Vec<Unit>) -> Self {
        let helper = PathBuf::from("/proc/self/exe");
        Self { lock, units, helper, notice: Notice::default(), forward: None }
    }
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The units make no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An earlier run's processes could not be ended.
    #[error(transparent)]
    Leftovers(#[from] LeftoverError),
    /// A listening socket could not be made.
    #[error("socket {name} of unit {unit}: {error}")]
    Socket {
        /// The unit.
        unit: String,
        /// The socket's name.
        name: String,
        /// Why.
        error: SocketError,
    },
    /// The control socket could not be made.
    #[error("control socket: {0}")]
    Control(#[from] ControlError),
    /// The system refused something it never refuses.
    #[error("{step}: {error}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// What it said.
        error: io::Error,
    },
}

/// Why the end was not clean.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// SIGCHLD cannot be listened to.
    #[error("listen to ending children: {0}")]
    Signal(io::Error),
    /// Something still runs.
    #[error("end stray processes: {0}")]
    Strays(#[from] SweepError),
}

/// Units that can be run now.
pub struct Supervisor {
    units: Vec<Arc<Unit>>,
    sockets: Vec<Arc<Vec<ListenSocket>>>,
    wishes: Vec<watch::Receiver<Wish>>,
    launcher: Arc<Launcher>,
    board: Arc<Board>,
    handle: Handle,
    control: control::Server,
    forward: Option<LineSink>,
    // Last, so that the folder is free only when everything else is gone.
    _lock: InstanceLock,
}

impl Supervisor {
    /// Checks the units, ends what an earlier run left, and binds all sockets.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let Options { lock, units, helper, notice, forward } = options;
        let own_ids = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        plan::check(&units, own_ids)?;
        let failed = |step| move |error| OpenError::Io { step, error };
        let boot_id = procfs::boot_id().map_err(failed("read the boot id"))?;
        let records = RecordDir::open(lock.dir()).map_err(failed("make the folder of records"))?;
        leftovers::end_all(&records, &boot_id, &notice).await?;
        let sockets = open_sockets(&units)?;
        let sessions = Sessions::open().map_err(failed("become a subreaper"))?;
        let units: Vec<Arc<Unit>> = units.into_iter().map(Arc::new).collect();
        let board = Arc::new(Board::new(&units, socket_statuses(&units, &sockets)));
        let wish = |unit: &Unit| Wish { run: !unit.on_demand, generation: 1 };
        let senders: BTreeMap<String, watch::Sender<Wish>> =
            units.iter().map(|unit| (unit.name.clone(), watch::Sender::new(wish(unit)))).collect();
        let wishes =
            units.iter().filter_map(|unit| senders.get(&unit.name)).map(watch::Sender::subscribe);
        let wishes = wishes.collect();
        let handle = Handle::new(board.clone(), senders);
        let control = control::Server::open(lock.dir(), handle.clone())?;
        let launcher =
            Arc::new(Launcher { sessions, records, boot_id, helper, kills: Kills::from_now() });
        let sockets = sockets.into_iter().map(Arc::new).collect();
        Ok(Self { units, sockets, wishes, launcher, board, handle, control, forward, _lock: lock })
    }

    /// Looks at and steers the units while [`Supervisor::run`] runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Starts everything, keeps it running until `shutdown` (or
    /// [`Handle::shutdown`], or the control socket), and ends everything.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RunError> {
        let mut child_ended = signal(SignalKind::child()).map_err(RunError::Signal)?;
        let mut lives = JoinSet::new();
        for life in self.lifecycles() {
            lives.spawn(life.run());
        }
        let closing = self.handle.closing().clone();
        let control = self.control;
        let farewell = CancellationToken::new();
        let mut answering = JoinSet::new();
        answering.spawn(control.serve(farewell.clone()));
        // Ends with this set, that is with this function.
        let mut logging = JoinSet::new();
        let (units, forward) = (self.units.clone(), self.forward);
        logging.spawn(async move { logs::look_after(&units, forward).await });
        let mut look = tokio::time::interval(STRAYS_LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled(), if !closing.is_cancelled() => self.handle.shutdown(),
                ended = lives.join_next() => match ended {
                    None => break,
                    Some(Err(error)) => tracing::error!(%error, "a unit's task ended"),
                    Some(Ok(())) => {}
                },
                _ = child_ended.recv() => collect(&self.launcher),
                _ = look.tick() => collect(&self.launcher),
            }
        }
        let strays = self.launcher.end_strays().await;
        collect(&self.launcher);
        farewell.cancel();
        let said = tokio::time::timeout(FAREWELL_TIMEOUT, answering.join_next());
        // Somebody who does not listen does not keep the process alive.
        let _ = said.await;
        Ok(strays.map(drop)?)
    }

    fn lifecycles(&self) -> Vec<Lifecycle> {
        let units = self.units.iter().zip(&self.sockets).zip(&self.wishes);
        units
            .map(|((unit, sockets), wish)| Lifecycle {
                unit: unit.clone(),
                dependents: self.dependents(&unit.name),
                sockets: sockets.clone(),
                launcher: self.launcher.clone(),
                board: self.board.clone(),
                wish: wish.clone(),
                closing: self.handle.closing().clone(),
            })
            .collect()
    }

    fn dependents(&self, name: &str) -> Vec<String> {
        let needs = |unit: &&Arc<Unit>| unit.after.iter().any(|after| after == name);
        self.units.iter().filter(needs).map(|unit| unit.name.clone()).collect()
    }
}

fn collect(launcher: &Launcher) {
    if let Err(error) = launcher.sessions.collect() {
        tracing::error!(%error, "look through children");
    }
}

fn open_sockets(units: &[Unit]) -> Result<Vec<Vec<ListenSocket>>, OpenError> {
    let of_unit = |unit: &Unit| {
        let open = |spec: &crate::unit::SocketSpec| {
            ListenSocket::open(spec).map_err(|error| OpenError::Socket {
                unit: unit.name.clone(),
                name: spec.name.clone(),
                error,
            })
        };
        unit.sockets.iter().map(open).collect()
    };
    units.iter().map(of_unit).collect()
}

fn socket_statuses(units: &[Arc<Unit>], sockets: &[Vec<ListenSocket>]) -> Vec<SocketStatus> {
    let pairs = units.iter().zip(sockets);
    pairs
        .flat_map(|(unit, sockets)| {
            unit.sockets.iter().zip(sockets).map(|(spec, socket)| SocketStatus {
                unit: unit.name.clone(),
                name: spec.name.clone(),
                address: socket.address().to_string(),
            })
        })
        .collect()
}
