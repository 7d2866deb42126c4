//! Which sessions are ours, and what becomes of every child of the supervisor.
//!
//! The supervisor is the subreaper of everything below it: who loses its
//! parent becomes its child. A child in the supervisor's own session was
//! started by a prepare step, which waits for it. A child in the session of a
//! living unit is that unit's: it lives, and is waited for when it ended. Any
//! other child has left its unit's session to outlive it (a daemon, a command
//! that a site detached) and is killed.
//!
//! One lock stands around starting a unit, waiting for one and looking through
//! the children, so that no process is judged before its unit is known, and no
//! id is used for a second process in between.

use std::collections::BTreeSet;
use std::io;

use parking::Lock;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};

use crate::procfs::{self, Stat};

/// A mutex that goes on after a panic of a holder: the set is consistent
/// between any two statements.
mod parking {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Debug, Default)]
    pub(super) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// The sessions of the living units.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// Session of this process, as `/proc` numbers it for its children too: 0
    /// when its leader lives outside of this process's PID namespace, as under
    /// `docker exec` or `unshare --pid` (pid_namespaces(7)).
    own: i32,
    leaders: Lock<BTreeSet<i32>>,
}

impl Sessions {
    /// Makes this process the reaper of all that it starts.
    pub(crate) fn open() -> io::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let stat = procfs::stat(procfs::own_pid())
            .ok_or_else(|| io::Error::other("/proc does not show this process: mount /proc"))?;
        Ok(Self { own: stat.session, leaders: Lock::default() })
    }

    /// Starts a process that will lead a session, and knows it from then on.
    pub(crate) fn begin<T>(&self, start: impl FnOnce() -> io::Result<(i32, T)>) -> io::Result<T> {
        let mut leaders = self.leaders.lock();
        let (pid, started) = start()?;
        leaders.insert(pid);
        Ok(started)
    }

    /// Waits for a leader that has ended, and forgets its session; `None` when
    /// it has not ended.
    pub(crate) fn end(&self, leader: i32) -> io::Result<Option<WaitIdStatus>> {
        let mut leaders = self.leaders.lock();
        let status = wait_for(leader)?;
        if status.is_some() {
            leaders.remove(&leader);
        }
        Ok(status)
    }

    /// Waits for every orphan that has ended and kills strays. Returns the
    /// strays that still live.
    pub(crate) fn collect(&self) -> io::Result<Vec<Stat>> {
        let leaders = self.leaders.lock();
        let mut strays = Vec::new();
        for child in procfs::own_children()? {
            if child.session == self.own || leaders.contains(&child.pid) {
                continue;
            }
            if child.is_dead() {
                wait_for(child.pid)?;
            } else if !leaders.contains(&child.session) {
                kill_stray(&child)?;
                strays.push(child);
            }
        }
        Ok(strays)
    }
}

/// A child's id stays its own until it is waited for, which happens only under
/// the lock, so the plain id names the right process.
fn kill_stray(stray: &Stat) -> io::Result<()> {
    let Some(pid) = Pid::from_raw(stray.pid) else { return Ok(()) };
    let name = procfs::command_name(stray.pid);
    tracing::warn!(pid = stray.pid, name, session = stray.session, "stray process killed");
    match rustix::process::kill_process(pid, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn wait_for(pid: i32) -> io::Result<Option<WaitIdStatus>> {
    let Some(pid) = Pid::from_raw(pid) else { return Ok(None) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    match rustix::process::waitid(WaitId::Pid(pid), options) {
        Ok(status) => Ok(status),
        // Somebody else has waited for it: there is nothing left to do.
        Err(rustix::io::Errno::CHILD) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
