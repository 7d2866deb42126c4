//! A command that runs, and its end.
//!
//! A thread of its own starts it and stays until it has ended: the kernel ends the command when
//! the thread that started it ends (`PR_SET_PDEATHSIG`), and with a killed shard all its threads
//! do.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::ChildStderr;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::sync::oneshot;
use tokio::sync::watch;

use super::WHAT;
use super::line::Line;
use crate::error::DriverError;
use crate::exec::ExecExit;
use crate::local::fpm::processes;
use crate::local::fpm::processes::Process;

/// SIGKILL ends a process within milliseconds; longer is one stuck in the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks of one that can't wait for news (`Drop`).
const LOOK_AGAIN: Duration = Duration::from_millis(2);

type Streams = (ChildStdin, ChildStdout, ChildStderr);

/// A command; ends when dropped.
pub(super) struct Running {
    pid: u32,
    is_namespaced: bool,
    streams: Option<Streams>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Running {
    /// Starts it.
    pub(super) async fn start(line: Line, is_isolated: bool) -> Result<Self, DriverError> {
        let is_namespaced = line.is_namespaced && is_isolated;
        let (started, start) = oneshot::channel();
        let (ended, end) = watch::channel(None);
        let work = move || match spawn(&line) {
            Ok(mut child) => {
                let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
                if started.send(Ok((child.id(), pipes))).is_err() {
                    // Nobody waits for it any more.
                    kill(child.id(), is_namespaced);
                }
                let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0x7f00));
                ended.send_replace(Some(status));
            }
            Err(error) => drop(started.send(Err(error))),
        };
        let failed = |error: io::Error| DriverError::failed(WHAT, error);
        std::thread::Builder::new()
            .name("aipress-command".to_owned())
            .spawn(work)
            .map_err(failed)?;
        let gone = |_| DriverError::failed(WHAT, "its thread ended");
        let (pid, pipes) = start.await.map_err(gone)?.map_err(failed)?;
        let mut running = Self { pid, is_namespaced, streams: None, ended: end };
        if let (Some(stdin), Some(stdout), Some(stderr)) = pipes {
            running.streams = Some((
                ChildStdin::from_std(stdin).map_err(failed)?,
                ChildStdout::from_std(stdout).map_err(failed)?,
                ChildStderr::from_std(stderr).map_err(failed)?,
            ));
        }
        Ok(running)
    }

    /// Its streams, once.
    pub(super) fn streams(&mut self) -> Option<Streams> {
        self.streams.take()
    }

    /// Waits for its end.
    pub(super) async fn exit(&self) -> Option<ExecExit> {
        let mut ended = self.ended.clone();
        let status = ended.wait_for(Option::is_some).await.ok().and_then(|status| *status)?;
        Some(match (status.code(), status.signal()) {
            (Some(code), _) => ExecExit::Code(code),
            (None, signal) => ExecExit::Signal(signal.unwrap_or_default()),
        })
    }

    /// Ends it with all that it started, if it has not ended.
    pub(super) async fn end(self) -> Result<(), DriverError> {
        let mut ended = self.ended.clone();
        if ended.borrow().is_none() {
            let (pid, is_namespaced) = (self.pid, self.is_namespaced);
            let killed = tokio::task::spawn_blocking(move || kill(pid, is_namespaced)).await;
            killed.map_err(|error| DriverError::failed(WHAT, error))?;
        }
        let end = ended.wait_for(Option::is_some);
        let timeout = DriverError::Timeout { what: "end a command".to_owned(), after: KILL_LIMIT };
        tokio::time::timeout(KILL_LIMIT, end)
            .await
            .map_err(|_| timeout)?
            .map(drop)
            .map_err(|_| DriverError::failed(WHAT, "nobody knows how it ended"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.borrow().is_some() {
            return;
        }
        // In place, so that nothing is left when this returns: it takes milliseconds.
        kill(self.pid, self.is_namespaced);
        let tries = KILL_LIMIT.as_millis() / LOOK_AGAIN.as_millis();
        for _ in 0..tries {
            if self.ended.borrow().is_some() {
                return;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

fn spawn(line: &Line) -> io::Result<Child> {
    Command::new(&line.program)
        .args(&line.args)
        .env_clear()
        .envs(line.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&line.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Kills the command `pid` with all that it started. It must not have been waited for.
fn kill(pid: u32, is_namespaced: bool) {
    let Ok(all) = processes::list() else { return };
    if is_namespaced {
        // The namespace's first process: the kernel ends all others with it, and `unshare`, which
        // waits for it, after them. Before there is one, `unshare` itself.
        let is_first = |process: &Process| process.parent == pid;
        let mut first = all.iter().filter(|process| is_first(process)).peekable();
        if first.peek().is_some() {
            for process in first {
                processes::signal(process, Signal::KILL, &is_first);
            }
            return;
        }
    }
    let own = |process: &Process| process.pid == pid || session(process.pid) == Some(pid);
    // One that does not end is told of by whoever waits for its end.
    let _ = processes::kill_all(KILL_LIMIT, all, &own);
}

/// The session of a process (`proc_pid_stat(5)`, field 6).
fn session(pid: u32) -> Option<u32> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name, in parentheses, may have spaces and parentheses itself.
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(3)?.parse().ok()
}
