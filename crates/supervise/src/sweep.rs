//! Ends sets of processes for certain: kill, wait until gone, look again.
//!
//! Each process is killed through a handle (pidfd) that is taken first and
//! compared with what was found, so an id that was reused meanwhile is safe.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use crate::descriptors;
use crate::procfs::{self, Stat};

/// Why processes are still there.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// SIGKILL was sent, but they did not end in time: they hang in the
    /// kernel, mostly on a disk or a network file system.
    #[error("killed processes do not end: {}", list(.0))]
    Undead(Vec<i32>),
    /// They run as another user.
    #[error("process {0} may not be ended by this user; run as root")]
    NotPermitted(i32),
    /// The system could not be asked.
    #[error("look through processes: {0}")]
    Io(#[from] io::Error),
}

fn list(pids: &[i32]) -> String {
    pids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}

/// A pidfd that can be waited for.
#[derive(Debug)]
pub(crate) struct Exit(AsyncFd<OwnedFd>);

impl Exit {
    pub(crate) fn new(pidfd: OwnedFd) -> io::Result<Self> {
        Ok(Self(descriptors::watch(pidfd)?))
    }

    /// Resolves when the process has ended. A pidfd stays readable from then
    /// on and the readiness is never cleared, so it may be asked again.
    pub(crate) async fn wait(&self) {
        // An error means that the runtime is shutting down: nobody waits any more.
        let _ = self.0.readable().await;
    }

    /// Sends a signal; a process that has ended is none to complain of.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(self.0.get_ref(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Kills what `find` finds until it finds nothing; the number of processes.
pub(crate) async fn kill_all<F>(find: F, within: Duration) -> Result<usize, SweepError>
where
    F: Fn() -> io::Result<Vec<Stat>> + Clone + Send + 'static,
{
    let deadline = Instant::now() + within;
    let mut killed = Vec::new();
    loop {
        // Reading all of /proc takes milliseconds on a machine with many processes.
        let found = tokio::task::spawn_blocking(find.clone()).await.map_err(io::Error::other)??;
        if found.is_empty() {
            return Ok(killed.len());
        }
        let mut exits = Vec::new();
        for stat in &found {
            let Some(handle) = procfs::open_same(stat)? else { continue };
            let exit = Exit::new(handle)?;
            exit.signal(Signal::KILL).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => SweepError::NotPermitted(stat.pid),
                _ => SweepError::Io(error),
            })?;
            if !killed.contains(&stat.pid) {
                killed.push(stat.pid);
            }
            exits.push(exit);
        }
        for exit in &exits {
            if tokio::time::timeout_at(deadline, exit.wait()).await.is_err() {
                return Err(SweepError::Undead(found.iter().map(|stat| stat.pid).collect()));
            }
        }
    }
}
