//! What the kernel says of a process and of the machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Clock ticks of `/proc` in a second (`USER_HZ`: 100 on x86_64 and aarch64).
pub(super) const TICKS: f64 = 100.0;

/// A server, and the machine, at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server {
    pub(super) pid: i32,
    /// CPU time that it had in its life, in ticks.
    pub(super) ticks: u64,
    /// Time in which cores had nothing to do, all added up, in ticks.
    pub(super) idle: u64,
    pub(super) at: Instant,
}

/// The server that wrote this file, while it runs.
pub(super) fn server(pid_file: &Path) -> Option<Server> {
    let pid = std::fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    let ticks = ticks(Path::new(&format!("/proc/{pid}/stat")))?;
    let idle = idle(Path::new("/proc/stat")).unwrap_or_default();
    Some(Server { pid, ticks, idle, at: Instant::now() })
}

/// Threads of a process, each with what it wanted of the CPU in its life, in ns; none where the
/// kernel does not count that (`CONFIG_SCHED_INFO`).
pub(super) fn threads(pid: i32) -> BTreeMap<i32, u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let found = tasks.filter_map(|task| {
        let thread = task.file_name().to_str()?.parse().ok()?;
        Some((thread, wanted(&task.path().join("schedstat"))?))
    });
    found.collect()
}

/// CPU time in ticks: `utime` and `stime` (proc_pid_stat(5)).
pub(super) fn ticks(stat: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(stat).ok()?;
    // The name stands in parentheses and may contain anything; both are fields 14 and 15.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Time on a core and time in wait of one, in ns (`/proc/<pid>/schedstat`, the kernel's
/// `sched-stats`).
pub(super) fn wanted(schedstat: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(schedstat).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Ticks in which cores were idle, or waited for a disk (proc_stat(5)).
pub(super) fn idle(stat: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(stat).ok()?;
    let mut fields = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().skip(3);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_read_behind_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let stat = dir.path().join("stat");
        std::fs::write(&stat, "7 (a) b (c) S 1 7 7 0 -1 4 9 9 9 9 150 25 0 0 20 0 1").unwrap();
        assert_eq!(ticks(&stat), Some(175));
        std::fs::write(&stat, "1500000000 500000000 7\n").unwrap();
        assert_eq!(wanted(&stat), Some(2_000_000_000));
        std::fs::write(&stat, "cpu  10 20 30 4000 500 6 7 8 9 10\ncpu0 1 1 1 1 1 1\n").unwrap();
        assert_eq!(idle(&stat), Some(4500));
    }
}
