//! The processes of a platform, found in `/proc` by its data folder and its Unix ids.

use std::fs;
use std::path::Path;

use rustix::process::Pid;
use rustix::process::Signal;

/// A process that is a platform's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its command line, or the title that it gave itself.
    pub command: String,
}

/// Every process that names `folder` in its command line, or runs as one of `ids` (a php-fpm
/// worker names its pool only). This process itself is none of them, nor is a zombie.
pub(crate) fn of_platform(folder: &Path, ids: &std::ops::Range<u32>) -> Vec<Process> {
    let own = std::process::id().cast_signed();
    // With what follows it: `…-1` is no part of `…-10`.
    let folder = format!("{}/", folder.display());
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own)
        .filter_map(|pid| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned();
            let is_ours = command.contains(&folder) || uid(pid).is_some_and(|u| ids.contains(&u));
            (is_ours && !command.is_empty()).then_some(Process { pid, command })
        })
        .collect()
}

/// The real user of a process.
fn uid(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok())
}

/// Ends a process at once (`SIGKILL`). One that is gone already is fine.
///
/// # Panics
/// When `pid` is no process id, or is not ours to end.
pub fn end_process(pid: i32) {
    signal(pid, Signal::KILL);
}

/// Holds a process (`SIGSTOP`): it is there, and does nothing.
///
/// # Panics
/// As [`end_process`].
pub fn hold_process(pid: i32) {
    signal(pid, Signal::STOP);
}

/// Lets a held process go on (`SIGCONT`).
///
/// # Panics
/// As [`end_process`].
pub fn release_process(pid: i32) {
    signal(pid, Signal::CONT);
}

fn signal(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a process id is positive");
    match rustix::process::kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => panic!("{signal:?} to process {pid:?}: {error}"),
    }
}
