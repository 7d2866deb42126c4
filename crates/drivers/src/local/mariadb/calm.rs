//! Sites whose queries keep the server busy: their threads give way to everybody else's.
//!
//! The server runs each connection in a thread, all with one priority: forty queries of one site are
//! forty threads beside the one that a neighbour's page waits for. Control groups hold processes,
//! not connections. So the threads of a user who wants much of a core have the lowest priority
//! (setpriority(2), which Linux has for each thread) on a part of the cores
//! (sched_setaffinity(2)), until the user wants little for a while. What is wanted is what was had
//! and what was waited for, so that others' load hides nobody. None is stopped: one that holds a
//! latch of the server goes on.
//!
//! `/proc` and the list of connections are read only while the server as a whole is busy. Without
//! root nothing is done, since a priority could be lowered but never given back.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use aipress_types::TenantUid;
use rustix::process::Pid;
use rustix::thread::CpuSet;
use sqlx::MySqlConnection;

use super::sql_error;
use crate::error::DriverError;
use crate::layout::tenant_of_handle;

/// Clock ticks of `/proc` in a second (`USER_HZ`: 100 on x86_64 and aarch64).
const TICKS: f64 = 100.0;
/// The server is looked into when it took this part of a core since the last look.
const SERVER_BUSY: f64 = 0.1;
/// A user is held who wanted this part of a core.
const USER_BUSY: f64 = 0.5;
/// And until this long after he last wanted it.
const HELD: Duration = Duration::from_secs(5);
/// Nice value of a held thread: the least that there is.
const NICE_HELD: i32 = 19;

/// What the last look saw, and whose threads are held.
#[derive(Debug)]
pub(super) struct Calm {
    pid_file: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    server: Option<Server>,
    /// What each thread wanted in its life, in ns, while the server was busy.
    threads: BTreeMap<i32, u64>,
    users: BTreeMap<TenantUid, Instant>,
    held: BTreeSet<i32>,
}

#[derive(Debug, Clone, Copy)]
struct Server {
    pid: i32,
    ticks: u64,
    at: Instant,
}

impl Calm {
    /// Of the server that writes this file.
    pub(super) fn new(pid_file: PathBuf) -> Self {
        Self { pid_file, seen: Mutex::default() }
    }

    /// Whether the list of connections is wanted: the server is busy, or somebody is held.
    pub(super) fn is_wanted(&self) -> bool {
        if !rustix::process::geteuid().is_root() {
            return false;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(now) = server(&self.pid_file) else {
            *seen = Seen::default();
            return false;
        };
        let before = seen.server.filter(|before| before.pid == now.pid);
        if before.is_none() {
            // Another server: its threads are others.
            *seen = Seen { server: Some(now), ..Seen::default() };
            return false;
        }
        let is_busy = before.is_some_and(|before| {
            let seconds = now.ticks.saturating_sub(before.ticks) as f64 / TICKS;
            part(seconds, before.at, now.at) >= SERVER_BUSY
        });
        if is_busy || !seen.users.is_empty() {
            return true;
        }
        seen.server = Some(now);
        seen.threads.clear();
        false
    }

    /// Holds and lets go, by what each thread wanted since the last look. Says who is held.
    pub(super) fn look(&self, connections: &[(i32, TenantUid)]) -> Vec<TenantUid> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(now) = server(&self.pid_file) else { return Vec::new() };
        let Some(before) = seen.server.replace(now).filter(|before| before.pid == now.pid) else {
            return Vec::new();
        };
        // All of them: one serves another connection at each look, of somebody who comes anew for
        // each query.
        let threads = threads(now.pid);
        let mut wants: BTreeMap<TenantUid, f64> = BTreeMap::new();
        for (thread, uid) in connections {
            // At the first look of a busy time nothing is known of what was before.
            let Some((wanted, then)) = threads.get(thread).zip(seen.threads.get(thread)) else {
                continue;
            };
            let seconds = wanted.saturating_sub(*then) as f64 / 1e9;
            *wants.entry(*uid).or_default() += part(seconds, before.at, now.at);
        }
        for (uid, _) in wants.into_iter().filter(|(_, part)| *part >= USER_BUSY) {
            seen.users.insert(uid, now.at + HELD);
        }
        seen.users.retain(|_, until| *until > now.at);
        let held: BTreeSet<i32> = connections
            .iter()
            .filter(|(_, uid)| seen.users.contains_key(uid))
            .map(|(thread, _)| *thread)
            .filter(|thread| threads.contains_key(thread))
            .collect();
        let all = cores(now.pid);
        for thread in held.difference(&seen.held) {
            set(*thread, NICE_HELD, all.as_ref().map(few));
        }
        for thread in seen.held.difference(&held) {
            // The server may have ended it, or given it to somebody else.
            if threads.contains_key(thread) {
                set(*thread, 0, all);
            }
        }
        seen.held = held;
        seen.threads = threads;
        seen.users.keys().copied().collect()
    }
}

/// Connections of sites, each with the thread that serves it.
pub(super) async fn connections(
    session: &mut MySqlConnection,
) -> Result<Vec<(i32, TenantUid)>, DriverError> {
    let found: Vec<(i64, String)> = sqlx::query_as(
        "SELECT CAST(TID AS SIGNED), CONVERT(USER USING utf8mb4) \
         FROM information_schema.PROCESSLIST WHERE USER LIKE 't\\_%'",
    )
    .fetch_all(session)
    .await
    .map_err(|error| sql_error("list connections", error))?;
    let known = found.into_iter();
    Ok(known
        .filter_map(|(thread, user)| Some((i32::try_from(thread).ok()?, tenant_of_handle(&user)?)))
        .collect())
}

fn server(pid_file: &Path) -> Option<Server> {
    let pid = std::fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    let ticks = ticks(Path::new(&format!("/proc/{pid}/stat")))?;
    Some(Server { pid, ticks, at: Instant::now() })
}

/// Threads of a process, each with what it wanted of the CPU in its life, in ns; none where the
/// kernel does not count that (`CONFIG_SCHED_INFO`).
fn threads(pid: i32) -> BTreeMap<i32, u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let found = tasks.filter_map(|task| {
        let thread = task.file_name().to_str()?.parse().ok()?;
        Some((thread, wanted(&task.path().join("schedstat"))?))
    });
    found.collect()
}

/// CPU time in ticks: `utime` and `stime` (proc_pid_stat(5)).
fn ticks(stat: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(stat).ok()?;
    // The name stands in parentheses and may contain anything; both are fields 14 and 15.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Time on a core and time in wait of one, in ns (`/proc/<pid>/schedstat`, the kernel's
/// `sched-stats`).
fn wanted(schedstat: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(schedstat).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Part of a core.
fn part(seconds: f64, from: Instant, to: Instant) -> f64 {
    seconds / to.saturating_duration_since(from).as_secs_f64().max(0.001)
}

/// Cores of the server.
fn cores(pid: i32) -> Option<CpuSet> {
    rustix::thread::sched_getaffinity(Pid::from_raw(pid)).ok()
}

/// The later half of the cores: the others are free of what is held. One core is all.
fn few(all: &CpuSet) -> CpuSet {
    let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
    let mut few = CpuSet::new();
    numbers.iter().skip(numbers.len() / 2).for_each(|core| few.set(*core));
    few
}

fn set(thread: i32, nice: i32, cores: Option<CpuSet>) {
    let Some(thread) = Pid::from_raw(thread) else { return };
    // A thread that has ended takes nothing any more.
    let _ = rustix::process::setpriority_process(Some(thread), nice);
    if let Some(cores) = cores {
        let _ = rustix::thread::sched_setaffinity(Some(thread), &cores);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_cores_stay_free() {
        let of = |cores: &[usize]| {
            let mut all = CpuSet::new();
            cores.iter().for_each(|core| all.set(*core));
            let few = few(&all);
            (0..CpuSet::MAX_CPU).filter(|core| few.is_set(*core)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[0]), [0]);
        assert_eq!(of(&[0, 1]), [1]);
        assert_eq!(of(&[2, 3, 6, 7]), [6, 7]);
        assert_eq!(of(&[0, 1, 2]), [1, 2]);
    }

    #[test]
    fn time_is_read_behind_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let stat = dir.path().join("stat");
        std::fs::write(&stat, "7 (a) b (c) S 1 7 7 0 -1 4 9 9 9 9 150 25 0 0 20 0 1").unwrap();
        assert_eq!(ticks(&stat), Some(175));
        std::fs::write(&stat, "1500000000 500000000 7\n").unwrap();
        assert_eq!(wanted(&stat), Some(2_000_000_000));
        let at = Instant::now();
        assert!((part(1.5, at, at + Duration::from_secs(2)) - 0.75).abs() < 0.001);
    }
}
