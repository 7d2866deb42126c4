//! Sites whose queries keep the server busy, and how many of them may run at once then.
//!
//! The server runs each connection in a thread, all with one priority: forty queries of one site are
//! forty threads beside the one that a neighbour's page waits for. Control groups hold processes,
//! not connections. So a user who wants much of a core and has more queries running than a site has
//! workers loses the connections of the others. What is wanted is what was had and what was waited
//! for, so that others' load hides nobody.
//!
//! Deliberately absent: a lower priority or fewer cores for such threads. One that has to wait while
//! it holds a latch of the server makes everybody wait: with forty at nice 19 on one core of two,
//! a neighbour's page took seconds instead of a tenth of one.
//!
//! `/proc` and the list of connections are read only while the server as a whole is busy.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use aipress_types::TenantUid;
use sqlx::MySqlConnection;

use super::execute;
use super::sql_error;
use crate::error::DriverError;
use crate::layout::tenant_of_handle;

/// Clock ticks of `/proc` in a second (`USER_HZ`: 100 on x86_64 and aarch64).
const TICKS: f64 = 100.0;
/// The server is looked into when it took this part of a core since the last look.
const SERVER_BUSY: f64 = 0.1;
/// A user is busy who wanted this part of a core.
const USER_BUSY: f64 = 0.5;
/// Queries that a busy user may have running at once: as many as the workers of a middling tier.
const RUNNING_MAX: usize = 8;

/// What the last look saw.
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

    /// Whether the list of connections is wanted: the server is busy.
    pub(super) fn is_wanted(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = server(&self.pid_file);
        let known = seen.server.zip(now).filter(|(before, now)| before.pid == now.pid);
        let is_busy = known.is_some_and(|(before, now)| {
            let seconds = now.ticks.saturating_sub(before.ticks) as f64 / TICKS;
            part(seconds, before.at, now.at) >= SERVER_BUSY
        });
        if !is_busy {
            *seen = Seen { server: now, ..Seen::default() };
        }
        is_busy
    }

    /// Who keeps the server busy, by what each thread wanted since the last look.
    fn look(&self, connections: &[Connection]) -> BTreeSet<TenantUid> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(now) = server(&self.pid_file) else { return BTreeSet::new() };
        let Some(before) = seen.server.replace(now).filter(|before| before.pid == now.pid) else {
            return BTreeSet::new();
        };
        // All of them: one serves another connection at each look, of somebody who comes anew for
        // each query.
        let threads = threads(now.pid);
        let mut wants: BTreeMap<TenantUid, f64> = BTreeMap::new();
        for connection in connections {
            let thread = &connection.thread;
            // At the first look of a busy time nothing is known of what was before.
            let Some((wanted, then)) = threads.get(thread).zip(seen.threads.get(thread)) else {
                continue;
            };
            let seconds = wanted.saturating_sub(*then) as f64 / 1e9;
            *wants.entry(connection.uid).or_default() += part(seconds, before.at, now.at);
        }
        seen.threads = threads;
        wants.into_iter().filter(|(_, part)| *part >= USER_BUSY).map(|(uid, _)| uid).collect()
    }

    /// Says who keeps the server busy, and ends what such a user runs beyond [`RUNNING_MAX`].
    pub(super) async fn hold(
        &self,
        session: &mut MySqlConnection,
    ) -> Result<Vec<TenantUid>, DriverError> {
        let connections = connections(session).await?;
        let busy = self.look(&connections);
        for uid in &busy {
            for id in beyond(&connections, *uid) {
                // It may have ended by itself.
                let _ =
                    execute(session, "end a connection", &format!("KILL CONNECTION {id};")).await;
            }
        }
        Ok(busy.into_iter().collect())
    }
}

/// A connection of a site.
#[derive(Debug, Clone, Copy)]
struct Connection {
    id: i64,
    /// The thread that serves it.
    thread: i32,
    uid: TenantUid,
    is_running: bool,
}

/// Connections of a user that run a query, but for the oldest of them.
fn beyond(connections: &[Connection], uid: TenantUid) -> Vec<i64> {
    let own = connections.iter().filter(|one| one.uid == uid && one.is_running);
    let mut ids: Vec<i64> = own.map(|one| one.id).collect();
    ids.sort_unstable();
    ids.split_off(ids.len().min(RUNNING_MAX))
}

async fn connections(session: &mut MySqlConnection) -> Result<Vec<Connection>, DriverError> {
    let found: Vec<(i64, i64, String, i64)> = sqlx::query_as(
        "SELECT CAST(ID AS SIGNED), CAST(TID AS SIGNED), CONVERT(USER USING utf8mb4), \
         CAST(COMMAND IN ('Query', 'Execute') AS SIGNED) \
         FROM information_schema.PROCESSLIST WHERE USER LIKE 't\\_%'",
    )
    .fetch_all(session)
    .await
    .map_err(|error| sql_error("list connections", error))?;
    let known = found.into_iter().filter_map(|(id, thread, user, running)| {
        let (thread, uid) = (i32::try_from(thread).ok()?, tenant_of_handle(&user)?);
        Some(Connection { id, thread, uid, is_running: running != 0 })
    });
    Ok(known.collect())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_busy_user_keeps_the_oldest_of_what_runs() {
        let (busy, other) =
            (TenantUid(uuid::Uuid::from_u128(1)), TenantUid(uuid::Uuid::from_u128(2)));
        let one = |id, uid, is_running| Connection { id, thread: 1, uid, is_running };
        let mut all: Vec<Connection> = (1..=10).rev().map(|id| one(id, busy, true)).collect();
        all.push(one(0, busy, false));
        all.extend((20..40).map(|id| one(id, other, true)));
        assert_eq!(beyond(&all, busy), [9, 10]);
        assert!(beyond(&all[..8], busy).is_empty());
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
