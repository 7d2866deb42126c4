//! What the figures were measured on and of: machine, versions, commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde::Serialize;

/// The machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// File system of the data.
    pub(crate) file_system: String,
    /// A write of 4 KiB with fdatasync, median, in milliseconds: durable changes rest on it.
    pub(crate) sync_ms: f64,
    /// Load before, over one minute: more than 0.5 means that others were at work.
    pub(crate) load_before: f64,
}

impl Machine {
    /// Looks.
    pub(crate) fn look(scratch: &Path) -> anyhow::Result<Self> {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let named = |text: &str, name: &str| {
            text.lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
        };
        let memory = named(&meminfo, "MemTotal").unwrap_or_default();
        Ok(Self {
            cpu: named(&cpuinfo, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            // Not those that this process is bound to.
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count().max(1),
            memory_mib: memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024,
            kernel: first_line(Command::new("uname").arg("-sr")),
            file_system: first_line(
                Command::new("stat").args(["--file-system", "--format=%T"]).arg(scratch),
            ),
            sync_ms: sync_ms(scratch)?,
            load_before: load(),
        })
    }
}

/// Shared memory of the whole machine (`Shmem`), in bytes: what PHP's opcode cache has written is
/// there also when no living process has it mapped in.
pub(crate) fn shared_memory() -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Shmem:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() * 1024.0
}

/// Load over one minute.
pub(crate) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

fn sync_ms(scratch: &Path) -> anyhow::Result<f64> {
    use std::io::Write;
    let path = scratch.join("sync-probe");
    let mut file = std::fs::File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..50 {
        file.write_all(&[7; 4096])?;
        let began = std::time::Instant::now();
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    std::fs::remove_file(&path)?;
    Ok(crate::stats::Stats::of(&times).median)
}

/// Versions of what is measured.
pub(crate) fn versions(aipress: &Path) -> BTreeMap<String, String> {
    let sbin = |name: &str| format!("/usr/sbin/{name}");
    let mut versions = BTreeMap::new();
    let mut put = |name: &str, program: &str, argument: &str| {
        let said = first_line(Command::new(program).arg(argument));
        if !said.is_empty() {
            versions.insert(name.to_owned(), said);
        }
    };
    put("aipress", &aipress.to_string_lossy(), "--version");
    put("mariadb", &sbin("mariadbd"), "--version");
    put("redis", "redis-server", "--version");
    put("php", "php", "--version");
    put("nginx", &sbin("nginx"), "-v");
    put("rustc", "rustc", "--version");
    versions
}

/// The commit that was built, with a mark when files differ from it.
pub(crate) fn commit() -> String {
    let commit = first_line(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]));
    let changed = first_line(Command::new("git").args([
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        "crates",
        "php",
        "bench/src",
    ]));
    if changed.is_empty() { commit } else { format!("{commit} with changes") }
}

fn first_line(command: &mut Command) -> String {
    let Ok(output) = command.output() else { return String::new() };
    // nginx says it on standard error.
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}
