//! What `/proc` says of processes: identity, session, parent, open files.
//!
//! A process is identified by its id *and* the clock ticks at which it began;
//! the id alone is reused. Everything here is a snapshot: whoever acts on it
//! takes a pidfd first and asks again ([`open_same`]).

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags};

/// A line of `/proc/PID/stat`, proc_pid_stat(5), as far as it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: i32,
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) session: i32,
    /// Clock ticks since boot.
    pub(crate) start_ticks: u64,
}

impl Stat {
    /// Ended, but not waited for: holds nothing any more.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// The name is in parentheses and may hold anything, so fields are counted
    /// from the last closing one.
    fn parse(line: &str) -> Option<Self> {
        let (pid, rest) = line.split_once(" (")?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            pid: pid.parse().ok()?,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
        })
    }
}

/// The process of that id, when there is one.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Every process that can be seen.
pub(crate) fn all() -> io::Result<Vec<Stat>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(stat) = name.to_str().and_then(|name| name.parse().ok()).and_then(stat) {
            found.push(stat);
        }
    }
    Ok(found)
}

/// The living processes of a session but for its leader.
pub(crate) fn session_members(session: i32) -> io::Result<Vec<Stat>> {
    let mut members = all()?;
    members.retain(|stat| stat.session == session && stat.pid != session && !stat.is_dead());
    Ok(members)
}

/// The children of this process, whichever of its threads began them.
pub(crate) fn own_children() -> io::Result<Vec<Stat>> {
    let mut children = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        // A thread that ended since hands its children to another, read later or next time.
        match fs::read_to_string(task?.path().join("children")) {
            Ok(line) => {
                children.extend(
                    line.split_ascii_whitespace().filter_map(|pid| stat(pid.parse().ok()?)),
                );
            }
            // Kernels without CONFIG_PROC_CHILDREN have no such file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return own_children_by_parent();
            }
            Err(_) => {}
        }
    }
    Ok(children)
}

fn own_children_by_parent() -> io::Result<Vec<Stat>> {
    let own = own_pid();
    let mut children = all()?;
    children.retain(|stat| stat.parent == own);
    Ok(children)
}

/// Id of this process as the kernel's type has it.
pub(crate) fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// A handle of exactly the process that `stat` describes; `None` when that one is gone.
pub(crate) fn open_same(stat: &Stat) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = Pid::from_raw(stat.pid) else { return Ok(None) };
    let handle = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let same = self::stat(stat.pid).is_some_and(|now| now.start_ticks == stat.start_ticks);
    Ok(same.then_some(handle))
}

/// Random id of this boot of the machine.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Short name of a process, at most 15 bytes.
pub(crate) fn command_name(pid: i32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// The program that a process executes, as the path it had when it was begun.
pub(crate) fn executable(pid: i32) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let text = path.to_str().and_then(|text| text.strip_suffix(" (deleted)")).map(PathBuf::from);
    Some(text.unwrap_or(path))
}

/// Whether a process has that file open; false when that cannot be seen.
pub(crate) fn has_open(pid: i32, target: &Path) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link == target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_skipped() {
        let line = "42 (a) R (b c) S 7 42 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3";
        let expected = Stat { pid: 42, state: 'S', parent: 7, session: 40, start_ticks: 987_654 };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("42 (short) S 7"), None);
    }

    #[test]
    fn this_process_is_found() {
        let own = stat(own_pid()).unwrap();
        assert!(own.start_ticks > 0 && !own.is_dead());
        assert!(all().unwrap().iter().any(|stat| stat.pid == own.pid));
        assert!(open_same(&own).unwrap().is_some());
        let other = Stat { start_ticks: own.start_ticks + 1, ..own };
        assert!(open_same(&other).unwrap().is_none());
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
