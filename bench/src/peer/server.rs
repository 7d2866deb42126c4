//! One server process of a peer.

use std::fs::File;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use rustix::process::Pid;
use rustix::process::Signal;

/// How long a server may take to start, and to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// The process. Dropped, it ends.
pub(crate) struct Server {
    name: &'static str,
    child: Child,
}

impl Server {
    /// Starts it and waits until `is_ready`. What it says goes to `<name>.log`.
    pub(crate) async fn start(
        name: &'static str,
        mut command: Command,
        dir: &Path,
        is_ready: impl Fn() -> bool,
    ) -> anyhow::Result<Self> {
        let log_path = dir.join(format!("{name}.log"));
        let log = File::create(&log_path)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("start {name}: {command:?}"))?;
        let mut server = Self { name, child };
        let deadline = Instant::now() + PATIENCE;
        while !is_ready() {
            let end = server.child.try_wait()?;
            if end.is_some() || Instant::now() > deadline {
                let said = std::fs::read_to_string(&log_path).unwrap_or_default();
                bail!("{name} did not start ({end:?}):\n{said}");
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(server)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let raw = i32::try_from(self.child.id())?;
        let pid = Pid::from_raw(raw).context("process id")?;
        if self.child.try_wait()?.is_none() {
            rustix::process::kill_process(pid, Signal::TERM)?;
        }
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("could not end {}: {error}", self.name);
        }
    }
}
