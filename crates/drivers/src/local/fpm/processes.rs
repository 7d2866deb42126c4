//! Finding and ending processes by looking into `/proc`.
//!
//! A process is ended through a pidfd that was checked after it was opened, so that a pid that
//! was used again in between is never hit.

use std::io;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;

/// What `/proc` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) uid: u32,
    pub(crate) title: String,
}

/// All processes that can be seen. One that ends meanwhile is left out.
pub(crate) fn list() -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok())
            && let Some(process) = read(pid)
        {
            found.push(process);
        }
    }
    Ok(found)
}

/// One process; `None` when it is gone or a zombie.
pub(crate) fn read(pid: u32) -> Option<Process> {
    // Lossily: a name that is no UTF-8 must not hide a process.
    let status = std::fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("State:")?.starts_with(['Z', 'X']) {
        return None;
    }
    let title = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(Process {
        pid,
        parent: field("PPid:")?.parse().ok()?,
        uid: field("Uid:")?.split_ascii_whitespace().next()?.parse().ok()?,
        title: String::from_utf8_lossy(&title).trim_end_matches('\0').replace('\0', " "),
    })
}

/// When a process began, in ticks since the machine did; `None` when it is gone.
pub(crate) fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    began_in(&String::from_utf8_lossy(&stat))
}

/// Field 22 of proc_pid_stat(5). The second is the name, which may have spaces and brackets.
fn began_in(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Sends a signal to a process if it still is what `wanted` says. Returns whether it was sent.
pub(crate) fn signal(process: &Process, signal: Signal, wanted: &dyn Fn(&Process) -> bool) -> bool {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return false };
    let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return false };
    // The pidfd is of whoever has the pid now; what is read next is of the same process or of
    // none, for the pidfd keeps the pid from being used again unnoticed.
    read(process.pid).is_some_and(|now| wanted(&now))
        && rustix::process::pidfd_send_signal(&pidfd, signal).is_ok()
}

/// Kills every process that is wanted until there is none. Returns how many were hit. `seen` is
/// what [`list`] gave a moment ago: with nothing to kill there, `/proc` is not gone through again,
/// which takes milliseconds where many processes run.
pub(crate) fn kill_all(
    limit: Duration,
    mut seen: Vec<Process>,
    wanted: &dyn Fn(&Process) -> bool,
) -> io::Result<u32> {
    let started = Instant::now();
    let mut hit = std::collections::HashSet::new();
    loop {
        let left: Vec<Process> = seen.into_iter().filter(wanted).collect();
        if left.is_empty() {
            return Ok(u32::try_from(hit.len()).unwrap_or(u32::MAX));
        }
        if started.elapsed() > limit {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("{} processes do not end", left.len()),
            ));
        }
        for process in &left {
            if signal(process, Signal::KILL, wanted) {
                hit.insert(process.pid);
            }
        }
        // The kernel needs a moment to take them down; then they are looked for again.
        std::thread::sleep(Duration::from_millis(2));
        seen = list()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_hides_no_beginning() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 10";
        assert_eq!(began_in(stat), Some(98_765));
        assert_eq!(began(std::process::id()), began(std::process::id()));
        assert!(began(std::process::id()).is_some());
    }

    #[test]
    fn only_what_is_wanted_is_killed() {
        let spawn =
            |seconds: &str| std::process::Command::new("sleep").arg(seconds).spawn().unwrap();
        let (mut one, mut other) = (spawn("98761"), spawn("98762"));
        let wanted = |process: &Process| process.title == "sleep 98761";
        // A process that has only just become its program may show no title yet.
        while !read(one.id()).is_some_and(|process| wanted(&process)) {
            std::thread::yield_now();
        }
        let hit = kill_all(Duration::from_secs(5), list().unwrap(), &wanted).unwrap();
        assert_eq!(hit, 1);
        assert!(!one.wait().unwrap().success());
        assert!(read(other.id()).is_some());
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(read(other.id()), None);
    }
}
