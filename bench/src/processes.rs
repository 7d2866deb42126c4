//! Processes as `/proc` shows them: trees, CPU time, memory (proc(5)).

use std::collections::HashMap;
use std::fs;

use anyhow::Context;

/// Clock ticks of `/proc` in a second (`USER_HZ`: 100 on x86_64 and aarch64).
const TICKS_PER_SECOND: f64 = 100.0;

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    /// Command line or title.
    pub(crate) title: String,
    /// CPU time of it and of its children that ended, in clock ticks.
    ticks: u64,
}

/// All processes.
pub(crate) fn list() -> anyhow::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc").context("list processes")?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(read).collect())
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let title = String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned();
    // utime, stime, cutime, cstime: fields 14 to 17 of the line, 11 to 14 here.
    let ticks = (11..=14).filter_map(field).sum();
    Some(Process { pid, parent: u32::try_from(field(1)?).ok()?, title, ticks })
}

/// `root` and all that descend from it.
pub(crate) fn tree(root: u32) -> anyhow::Result<Vec<Process>> {
    let all = list()?;
    let mut children: HashMap<u32, Vec<&Process>> = HashMap::new();
    for process in &all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found: Vec<Process> =
        all.iter().filter(|process| process.pid == root).cloned().collect();
    let mut next = 0;
    while let Some(pid) = found.get(next).map(|process| process.pid) {
        found.extend(children.get(&pid).into_iter().flatten().map(|child| (*child).clone()));
        next += 1;
    }
    Ok(found)
}

/// CPU time of a process and all that descend from it, those that ended included, in seconds.
pub(crate) fn cpu_s(root: u32) -> anyhow::Result<f64> {
    let ticks: u64 = tree(root)?.iter().map(|process| process.ticks).sum();
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Memory of a process, shared pages divided among those who share them (PSS), in bytes.
pub(crate) fn pss(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss line")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().context("Pss")?;
    Ok(kib * 1024)
}
