//! A supervisor process for a test, and waiting with a deadline.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aipress_supervise::{ControlError, Snapshot, UnitState, UnitStatus, control};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_supervise-probe");

/// For anything that a test expects: far more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder in which supervisors run.
pub(crate) struct Place {
    dir: TempDir,
}

/// A supervisor process; ended with its units when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    run_dir: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::with_prefix("sv").unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A unit with a log of its own.
    pub(crate) fn unit(&self, name: &str, argv: &[&str], more: Value) -> Value {
        let mut unit =
            json!({"name": name, "argv": argv, "log": self.path(&format!("{name}.log"))});
        for (key, value) in more.as_object().unwrap() {
            unit[key] = value.clone();
        }
        unit
    }

    pub(crate) fn shell(&self, name: &str, script: &str, more: Value) -> Value {
        self.unit(name, &["/bin/sh", "-c", script], more)
    }

    pub(crate) fn command(&self, units: &[Value]) -> Command {
        self.scenario(&json!({"run_dir": self.path("run"), "units": units}))
    }

    pub(crate) fn scenario(&self, scenario: &Value) -> Command {
        let file = self.path("scenario.json");
        fs::write(&file, scenario.to_string()).unwrap();
        let mut command = Command::new(PROBE);
        command.arg("supervise").arg(file).stdin(Stdio::null());
        command
    }

    pub(crate) fn spawn(&self, mut command: Command) -> Running {
        let log = fs::File::options().append(true).create(true).open(self.path("supervisor.log"));
        command.stdout(log.unwrap()).stderr(Stdio::inherit());
        Running { child: command.spawn().unwrap(), run_dir: self.path("run") }
    }

    pub(crate) fn run(&self, units: &[Value]) -> Running {
        self.spawn(self.command(units))
    }
}

impl Running {
    pub(crate) fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    pub(crate) async fn status(&self) -> Option<Snapshot> {
        match control::status(&self.run_dir, PATIENCE).await {
            Ok(snapshot) => Some(snapshot),
            Err(ControlError::NotRunning(_) | ControlError::Io(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until a unit is as wanted.
    pub(crate) async fn unit(
        &self,
        name: &str,
        wanted: impl Fn(&UnitStatus) -> bool,
    ) -> UnitStatus {
        let mut last = None;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            last = self.status().await.and_then(|now| now.unit(name).cloned());
            if let Some(unit) = last.as_ref().filter(|unit| wanted(unit)) {
                return unit.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("unit {name} is not as wanted: {last:?}");
    }

    pub(crate) async fn ready(&self, name: &str) -> UnitStatus {
        self.unit(name, |unit| unit.state == UnitState::Ready).await
    }

    pub(crate) async fn ask(&self, request: control::Request) -> Result<Snapshot, ControlError> {
        control::call(&self.run_dir, &request, PATIENCE, |_| {}).await
    }

    /// SIGKILL, as the kernel does when memory is short.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        signal(self.child.id(), "TERM");
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
    }
}

/// Sends a signal by name to one process.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("/bin/kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    assert!(status.unwrap().success(), "kill {pid}");
}

/// Whether a process runs; one that ended and was not waited for does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// When a process began, clock ticks since boot: field 22 of proc_pid_stat(5).
pub(crate) fn start_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(19).unwrap().parse().unwrap()
}

/// Waits until something is there.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: not within {PATIENCE:?}");
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
