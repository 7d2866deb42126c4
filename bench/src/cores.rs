//! Which core runs what: servers on one, the client on the other, so that neither takes the
//! other's time (`measuring.md`).

use std::path::Path;
use std::process::Command;

use rustix::thread::CpuSet;
use rustix::thread::sched_getaffinity;
use rustix::thread::sched_setaffinity;

/// The cores of one benchmark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    /// Core of all server processes; `None` leaves them all cores.
    server: Option<usize>,
}

impl Cores {
    /// Servers on core 0, this process on core 1. With one core only, nothing is bound.
    pub(crate) fn apart() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        let [server, client, ..] = cores.as_slice() else {
            return Ok(Self { server: None });
        };
        let mut own = CpuSet::new();
        own.set(*client);
        sched_setaffinity(None, &own)?;
        Ok(Self { server: Some(*server) })
    }

    /// Servers and client on whatever core is free.
    pub(crate) fn shared() -> Self {
        Self { server: None }
    }

    /// A command that starts a server on its core. Children inherit it.
    pub(crate) fn command(self, program: &Path) -> Command {
        match self.server {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.arg("--cpu-list").arg(core.to_string()).arg(program);
                command
            }
            None => Command::new(program),
        }
    }

    /// In words, for the results.
    pub(crate) fn words(self) -> String {
        match self.server {
            Some(core) => format!("servers on core {core}, client on another"),
            None => "servers and client share the cores".to_owned(),
        }
    }
}

/// Gives this process all cores back, after a benchmark that bound it.
pub(crate) fn release() {
    let mut all = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| all.set(core));
    // The kernel cuts it down to the cores that there are.
    let _ = sched_setaffinity(None, &all);
}
