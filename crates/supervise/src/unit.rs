//! What a unit is: one long-running process, how it is started, watched and ended.
//!
//! Pure description. A unit's environment is complete: a process gets exactly
//! what is listed here (and the `LISTEN_*` variables of its sockets), nothing
//! of the supervisor's own. There are no secrets in arguments or environment;
//! units read theirs from files that only their user can read.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;

/// What a prepare or readiness step ends with; the error's text (with its
/// sources) is shown to people in the unit's status.
pub type StepResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

type StepFuture = Pin<Box<dyn Future<Output = StepResult> + Send>>;

/// An asynchronous step that the supervisor runs itself, as often as needed.
#[derive(Clone)]
pub struct Step(Arc<dyn Fn() -> StepFuture + Send + Sync>);

impl Step {
    /// Wraps an async closure. It is dropped at its time-out or when the unit
    /// is to stop, so whatever it starts must end with it.
    pub fn new<F, Fut>(step: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(step())))
    }

    pub(crate) fn call(&self) -> StepFuture {
        (self.0)()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Step")
    }
}

/// Says in words why a unit ended, by looking at what it left (its log, say).
#[derive(Clone)]
pub struct Explain(Arc<dyn Fn() -> Option<String> + Send + Sync>);

impl Explain {
    /// Wraps a function that may block a little; `None` when it finds nothing to say.
    pub fn new(look: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    pub(crate) fn call(&self) -> Option<String> {
        (self.0)()
    }
}

impl fmt::Debug for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Explain")
    }
}

/// One supervised process.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Unique, at most 64 of `A-Z a-z 0-9 . _ -`, not starting with a dot: it
    /// names the unit's record in `run/units`.
    pub name: String,
    /// Absolute path of the program, then its arguments.
    pub argv: Vec<String>,
    /// The whole environment of the process.
    pub env: BTreeMap<String, String>,
    /// Working folder; entered after the switch of user.
    pub cwd: PathBuf,
    /// Whom it runs as; `None` is the supervisor's own user.
    pub user: Option<Credentials>,
    /// File mode creation mask.
    pub umask: u32,
    /// Limits set before the switch of user, so that they may be raised.
    pub rlimits: Vec<Rlimit>,
    /// `oom_score_adj` from -1000 (never killed) to 1000 (first); `None` leaves
    /// the supervisor's own.
    pub oom_score_adj: Option<i16>,
    /// `PR_SET_NO_NEW_PRIVS`: no set-user-id program gives the unit anything.
    pub no_new_privs: bool,
    /// Listening sockets, in the order in which the process gets them from
    /// file descriptor 3 on.
    pub sockets: Vec<SocketSpec>,
    /// Where its standard output and error go.
    pub log: LogFile,
    /// Runs before each start, as the supervisor's user.
    pub prepare: Option<Prepare>,
    /// When it counts as ready.
    pub readiness: Readiness,
    /// Asked when it ended by itself: what its exit code does not say.
    pub explain: Option<Explain>,
    /// How it is ended.
    pub stop: StopPolicy,
    /// How it comes back.
    pub restart: Backoff,
    /// Units that must have been ready once before this one is first started.
    /// At the shutdown this one ends before them. A later restart of theirs
    /// does not touch this one. One that runs on demand is not waited for.
    pub after: Vec<String>,
    /// Not started by itself, but when somebody asks for it
    /// ([`crate::Handle::start`]); until then the whole is up without it.
    pub on_demand: bool,
}

impl Unit {
    /// A unit with an empty environment, `/` as folder, umask 022, 1 s backoff,
    /// ready at once, SIGTERM with 10 s of grace.
    pub fn new(
        name: impl Into<String>,
        argv: impl IntoIterator<Item = impl Into<String>>,
        log: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: PathBuf::from("/"),
            user: None,
            umask: 0o022,
            rlimits: Vec::new(),
            oom_score_adj: None,
            no_new_privs: false,
            sockets: Vec::new(),
            log: LogFile::new(log),
            prepare: None,
            readiness: Readiness::Started,
            explain: None,
            stop: StopPolicy::default(),
            restart: Backoff::default(),
            after: Vec::new(),
            on_demand: false,
        }
    }
}

/// Numeric identity of a process; no passwd entry is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// User id, real, effective and saved.
    pub uid: u32,
    /// Group id, real, effective and saved.
    pub gid: u32,
    /// Supplementary groups; all others are dropped.
    pub groups: Vec<u32>,
}

/// A limit of setrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rlimit {
    /// What is limited.
    pub resource: RlimitResource,
    /// Soft limit; `None` is unlimited.
    pub soft: Option<u64>,
    /// Hard limit; `None` is unlimited.
    pub hard: Option<u64>,
}

/// The resources of setrlimit(2) that units limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RlimitResource {
    /// `RLIMIT_NOFILE`, file descriptors.
    Nofile,
    /// `RLIMIT_NPROC`, processes of the user.
    Nproc,
    /// `RLIMIT_CORE`, bytes of a core file.
    Core,
    /// `RLIMIT_AS`, bytes of address space.
    As,
    /// `RLIMIT_FSIZE`, bytes of a written file.
    Fsize,
    /// `RLIMIT_MEMLOCK`, bytes locked in memory.
    Memlock,
    /// `RLIMIT_DATA`, bytes of memory that a process can write and shares with nobody.
    Data,
    /// `RLIMIT_STACK`, bytes of the main stack.
    Stack,
}

/// A listening socket that the supervisor makes once and keeps, so that a
/// killed unit refuses nobody: who comes meanwhile waits in the backlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSpec {
    /// Name in `LISTEN_FDNAMES`; no colon.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddress,
    /// How many connections may wait; the kernel caps it at
    /// `net.core.somaxconn`.
    pub backlog: u16,
}

impl SocketSpec {
    /// A TCP socket with a backlog of 4,096.
    pub fn tcp(name: impl Into<String>, address: SocketAddr) -> Self {
        Self { name: name.into(), address: SocketAddress::Tcp(address), backlog: 4096 }
    }

    /// A Unix stream socket of that mode, owned by the supervisor's user.
    pub fn unix(name: impl Into<String>, path: impl Into<PathBuf>, mode: u32) -> Self {
        Self {
            name: name.into(),
            address: SocketAddress::Unix { path: path.into(), mode, owner: None },
            backlog: 4096,
        }
    }
}

/// Address of a listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketAddress {
    /// TCP, with `SO_REUSEADDR`; port 0 takes a free one (see
    /// [`crate::Snapshot::sockets`] for which).
    Tcp(SocketAddr),
    /// A Unix stream socket in a folder that only the supervisor can write.
    Unix {
        /// At most 107 bytes (sun_path).
        path: PathBuf,
        /// Mode of the socket file; connecting needs write permission.
        mode: u32,
        /// Owner and group of the socket file.
        owner: Option<(u32, u32)>,
    },
}

/// The file that takes a unit's standard output and error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// The file itself; older ones are beside it as `NAME.1`, `NAME.2` …
    pub path: PathBuf,
    /// Size at which it is rotated, bytes.
    pub max_bytes: u64,
    /// How many older files are kept.
    pub keep: u32,
}

impl LogFile {
    /// 16 MiB and 3 older ones.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_bytes: 16 << 20, keep: 3 }
    }
}

/// A step before each start.
#[derive(Debug, Clone)]
pub struct Prepare {
    /// What runs.
    pub step: Step,
    /// It fails when it has not ended by then.
    pub timeout: Duration,
}

/// When a started unit is ready.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// As soon as its program was executed.
    Started,
    /// When a step first succeeds.
    Probe {
        /// Asks the unit.
        step: Step,
        /// One attempt fails when it has not ended by then.
        attempt_timeout: Duration,
        /// Pause between two attempts.
        interval: Duration,
        /// The unit is ended and started again when it is not ready by then.
        timeout: Duration,
    },
}

impl Readiness {
    /// A step tried every 25 ms, 2 s each, until `timeout`.
    pub fn probe<F, Fut>(timeout: Duration, step: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult> + Send + 'static,
    {
        Self::Probe {
            step: Step::new(step),
            attempt_timeout: Duration::from_secs(2),
            interval: Duration::from_millis(25),
            timeout,
        }
    }

    /// Ready when a connection to a Unix socket is accepted. Useless for a
    /// socket that the supervisor itself holds: that one always accepts.
    pub fn unix_connect(timeout: Duration, path: &Path) -> Self {
        let path = path.to_owned();
        Self::probe(timeout, move || {
            let path = path.clone();
            async move {
                tokio::net::UnixStream::connect(&path)
                    .await
                    .map(drop)
                    .map_err(|error| format!("connect to {}: {error}", path.display()).into())
            }
        })
    }
}

/// How a unit is ended: the signal to its leader, then SIGKILL to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopPolicy {
    /// What asks it to end.
    pub signal: StopSignal,
    /// It is never killed before this has passed: give a database minutes.
    #[serde(rename = "grace_ms", with = "millis")]
    pub grace: Duration,
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self { signal: StopSignal::Term, grace: Duration::from_secs(10) }
    }
}

/// Signals that ask a process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT (php-fpm: end when the requests in flight have ended).
    Quit,
}

impl StopSignal {
    pub(crate) fn as_signal(self) -> rustix::process::Signal {
        match self {
            Self::Term => rustix::process::Signal::TERM,
            Self::Int => rustix::process::Signal::INT,
            Self::Quit => rustix::process::Signal::QUIT,
        }
    }
}

/// Durations as whole milliseconds in JSON.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
