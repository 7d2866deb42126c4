//! A unit's running process: started through the exec helper, watched by pidfd.
//!
//! Waiting is by readiness of the pidfd, not by polling and not by SIGCHLD.
//! Absent on purpose: `PR_SET_PDEATHSIG`. It fires when the *thread* that
//! forked ends, and the runtime ends idle threads: databases would be
//! terminated at random. What a killed supervisor leaves is ended by the next
//! one (`leftovers`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitIdStatus};

use crate::exec::{self, EXEC_VERB, ExecSpec};
use crate::memory::Kills;
use crate::procfs;
use crate::record::{Record, RecordDir};
use crate::sessions::Sessions;
use crate::sockets::ListenSocket;
use crate::sweep::{self, Exit, SweepError};
use crate::unit::Unit;

/// From the fork to the exec: two execs and a message. More is a machine that
/// hardly moves; the restart that follows is then the lesser evil.
const EXEC_TIMEOUT: Duration = Duration::from_secs(20);

/// How long killed processes may take to end before that is an error.
pub(crate) const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest error text read from the helper, bytes.
const EXEC_ERROR_MAX_BYTES: u64 = 8 << 10;

/// What starting and ending processes needs.
#[derive(Debug)]
pub(crate) struct Launcher {
    pub(crate) sessions: Sessions,
    pub(crate) records: RecordDir,
    pub(crate) boot_id: String,
    /// The program that has [`EXEC_VERB`].
    pub(crate) helper: PathBuf,
    pub(crate) kills: Kills,
}

/// Why a unit was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("open log {}: {error}", .path.display())]
    Log { path: PathBuf, error: io::Error },
    #[error("start a process: {0}")]
    Spawn(io::Error),
    #[error("hand over to the unit's process: {0}")]
    HandOver(io::Error),
    #[error("{0}")]
    Exec(String),
}

/// A living (or not yet waited for) leader of a unit's session.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    exit: Exit,
}

impl Launcher {
    /// Starts a unit; returns when its program was executed.
    pub(crate) async fn start(
        self: &Arc<Self>,
        unit: &Arc<Unit>,
        sockets: &Arc<Vec<ListenSocket>>,
    ) -> Result<Process, StartError> {
        let (launcher, unit, sockets) = (self.clone(), unit.clone(), sockets.clone());
        let (pid, pidfd) =
            tokio::task::spawn_blocking(move || launcher.start_blocking(&unit, &sockets))
                .await
                .map_err(|error| StartError::Spawn(io::Error::other(error)))??;
        match Exit::new(pidfd) {
            Ok(exit) => Ok(Process { pid, exit }),
            Err(error) => {
                self.abandon(pid);
                Err(StartError::Spawn(error))
            }
        }
    }

    fn start_blocking(
        &self,
        unit: &Unit,
        sockets: &[ListenSocket],
    ) -> Result<(i32, OwnedFd), StartError> {
        let log = open_log(unit)?;
        let (mut ours, theirs) = UnixStream::pair().map_err(StartError::Spawn)?;
        let (pid, pidfd) = self
            .sessions
            .begin(|| {
                let pid = spawn(&self.helper, unit, log, theirs)?;
                Ok((pid, (pid, open_child(pid)?)))
            })
            .map_err(StartError::Spawn)?;
        let handed_over = self
            .write_record(unit, pid)
            .and_then(|()| {
                let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
                ours.set_write_timeout(Some(EXEC_TIMEOUT))?;
                ours.set_read_timeout(Some(EXEC_TIMEOUT))?;
                exec::send(&mut ours, &ExecSpec::from(unit), &sockets)
            })
            .and_then(|()| {
                // Nothing but the end of the channel means that the program runs.
                let mut answer = Vec::new();
                ours.take(EXEC_ERROR_MAX_BYTES).read_to_end(&mut answer)?;
                Ok(String::from_utf8_lossy(&answer).into_owned())
            });
        match handed_over {
            Ok(answer) if answer.is_empty() => Ok((pid, pidfd)),
            Ok(answer) => {
                self.abandon(pid);
                self.forget(unit);
                Err(StartError::Exec(answer))
            }
            Err(error) => {
                self.abandon(pid);
                self.forget(unit);
                Err(StartError::HandOver(error))
            }
        }
    }

    /// Kills what has left the session of its unit and lost its parent.
    pub(crate) async fn end_strays(self: &Arc<Self>) -> Result<usize, SweepError> {
        let launcher = self.clone();
        sweep::kill_all(move || launcher.sessions.collect(), KILL_TIMEOUT).await
    }

    fn write_record(&self, unit: &Unit, pid: i32) -> io::Result<()> {
        let stat = procfs::stat(pid)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the process ended at once"))?;
        // The resolved path: /proc/PID/exe shows that one.
        let program = unit.argv.first().map(PathBuf::from).unwrap_or_default();
        self.records.write(&Record {
            name: unit.name.clone(),
            pid,
            start_ticks: stat.start_ticks,
            boot_id: self.boot_id.clone(),
            program: fs::canonicalize(&program).unwrap_or(program),
            log: fs::canonicalize(&unit.log.path).unwrap_or_else(|_| unit.log.path.clone()),
            stop: unit.stop,
            after: unit.after.clone(),
        })
    }

    /// Ends a process that never became a unit.
    fn abandon(&self, pid: i32) {
        if let Some(raw) = Pid::from_raw(pid) {
            // Both fail only for a process that has ended, which is what is wanted.
            let _ = rustix::process::kill_process(raw, Signal::KILL);
            let options =
                rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
            let _ = rustix::process::waitid(rustix::process::WaitId::Pid(raw), options);
        }
        if let Err(error) = self.sessions.end(pid) {
            tracing::warn!(pid, %error, "process that never became a unit is not waited for");
        }
    }

    fn forget(&self, unit: &Unit) {
        if let Err(error) = self.records.remove(&unit.name) {
            tracing::warn!(unit = unit.name, %error, "remove unit record");
        }
    }

    /// After the leader's end: sweeps its session, waits for all of it, and
    /// only then forgets it. Gives the leader's exit and how many were swept.
    pub(crate) async fn finish(
        self: &Arc<Self>,
        unit: &Unit,
        process: &Process,
    ) -> Result<(Option<WaitIdStatus>, usize), SweepError> {
        let session = process.pid;
        // Workers of a killed master keep its socket and go on answering.
        let members = move || procfs::session_members(session);
        let mut swept = sweep::kill_all(members, KILL_TIMEOUT).await?;
        swept += self.end_strays().await?;
        // The leader is waited for last: until then nobody else gets its number.
        let status = self.sessions.end(process.pid)?;
        self.forget(unit);
        Ok((status, swept))
    }
}

impl Process {
    /// Resolves when the leader has ended.
    pub(crate) async fn exited(&self) {
        self.exit.wait().await;
    }

    /// Sends a signal to the leader.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.exit.signal(signal)
    }
}

/// The log takes both streams directly. A pipe through the supervisor would
/// bind every unit to the supervisor's life and speed: killed, it would end
/// them one by one (SIGPIPE); slow, it would stop them. Appending is atomic, so
/// units and rotation (`logs`) do not disturb each other.
fn open_log(unit: &Unit) -> Result<File, StartError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default())
        .open(&unit.log.path)
        .map_err(|error| StartError::Log { path: unit.log.path.clone(), error })
}

fn spawn(helper: &PathBuf, unit: &Unit, log: File, channel: UnixStream) -> io::Result<i32> {
    let child = Command::new(helper)
        .arg0(&unit.name)
        .arg(EXEC_VERB)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(channel)))
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    // Dropping the handle neither kills nor waits: `Sessions` does.
    i32::try_from(child.id()).map_err(io::Error::other)
}

/// Our own child that nobody has waited for: the id cannot be another's.
fn open_child(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(rustix::io::Errno::SRCH)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// How a leader ended, in words.
pub(crate) fn describe(status: Option<WaitIdStatus>) -> String {
    let Some(status) = status else { return "ended, nobody knows how".to_owned() };
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("killed by {}", signal_name(signal)),
        (None, None) => "ended, nobody knows how".to_owned(),
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".into(),
        2 => "SIGINT".into(),
        3 => "SIGQUIT".into(),
        4 => "SIGILL".into(),
        6 => "SIGABRT".into(),
        7 => "SIGBUS".into(),
        8 => "SIGFPE".into(),
        9 => "SIGKILL".into(),
        11 => "SIGSEGV".into(),
        13 => "SIGPIPE".into(),
        15 => "SIGTERM".into(),
        24 => "SIGXCPU".into(),
        25 => "SIGXFSZ".into(),
        31 => "SIGSYS".into(),
        other => format!("signal {other}"),
    }
}
