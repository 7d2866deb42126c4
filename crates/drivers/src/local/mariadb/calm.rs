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
//! That keeps memory and locks within bounds, but not the CPU: eight threads are eight threads. When
//! the machine has no core left and a site wants more than half of all, it is held to so many
//! connections as that half has cores, and its PHP to so many workers (by the shard), so that its
//! pages wait for each other instead of failing. It is let go when it has been calm for a while.
//!
//! `/proc` and the list of connections are read only while the server as a whole is busy.

mod proc;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use aipress_types::TenantUid;
use aipress_types::capacity::DB_CONNECTIONS_PER_TENANT;
use sqlx::MySqlConnection;

use self::proc::Server;
use self::proc::TICKS;
use super::account::account_name;
use super::execute;
use super::sql_error;
use crate::database::BusySite;
use crate::error::DriverError;
use crate::layout::tenant_of_handle;

/// The server is looked into when it took this part of a core since the last look.
const SERVER_BUSY: f64 = 0.1;
/// A user is busy who wanted this part of a core.
const USER_BUSY: f64 = 0.5;
/// Queries that a busy user may have running at once: as many as the workers of a middling tier.
const RUNNING_MAX: u32 = 8;
/// Memory that all connections of a user may take, in bytes. The server's own bounds are for each
/// buffer and each table, of which a session may have any number. Tables of the engine `MEMORY` are
/// not a connection's for the server, and so not counted.
const MEMORY_MAX: i64 = 512 * 1024 * 1024;
/// The machine has no core left when this part of one was idle, or less.
const IDLE: f64 = 0.2;
/// A user who wants so much more than half of all cores is held.
const HELD_ABOVE: f64 = 1.2;
/// Who is held is let go when it wanted less than half of what it then has for so long.
const HELD_FOR: Duration = Duration::from_secs(300);

const HOLD: &str = "hold who keeps the server busy";

/// What the last look saw.
#[derive(Debug)]
pub(super) struct Calm {
    pid_file: PathBuf,
    /// Half of the machine's cores, one at least.
    half: u32,
    seen: Mutex<Seen>,
    held: Mutex<Held>,
    /// The platform itself loads their databases, as their users.
    spared: Mutex<BTreeSet<TenantUid>>,
}

#[derive(Debug, Default)]
struct Seen {
    server: Option<Server>,
    /// What each thread wanted in its life, in ns, while the server was busy.
    threads: BTreeMap<i32, u64>,
}

#[derive(Debug, Default)]
struct Held {
    /// Whether those were let go whom a process before this one held.
    is_begun: bool,
    /// Until when, if they stay calm.
    sites: BTreeMap<TenantUid, Instant>,
}

/// What users wanted since the last look.
#[derive(Debug, Default)]
struct Wanted {
    /// Parts of a core.
    parts: BTreeMap<TenantUid, f64>,
    /// No core was left.
    is_short: bool,
}

/// Queries of a site that nobody counts while this lives.
pub(super) struct Spared<'a> {
    calm: &'a Calm,
    uid: TenantUid,
}

impl Drop for Spared<'_> {
    fn drop(&mut self) {
        self.calm.spared.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.uid);
    }
}

impl Calm {
    /// Of the server that writes this file.
    pub(super) fn new(pid_file: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let half = u32::try_from(cores / 2).unwrap_or(1).max(1);
        Self {
            pid_file,
            half,
            seen: Mutex::default(),
            held: Mutex::default(),
            spared: Mutex::default(),
        }
    }

    /// Leaves a site's queries alone: the platform's own work in its name.
    pub(super) fn spare(&self, uid: TenantUid) -> Spared<'_> {
        self.spared.lock().unwrap_or_else(PoisonError::into_inner).insert(uid);
        Spared { calm: self, uid }
    }

    /// Whether [`Self::hold`] has something to do: the server is busy, or somebody is to be let go.
    pub(super) fn is_wanted(&self) -> bool {
        let is_ending = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            !held.is_begun || held.sites.values().any(|until| *until <= now)
        };
        self.is_busy() || is_ending
    }

    fn is_busy(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = proc::server(&self.pid_file);
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

    /// What each user wanted, by what each thread did since the last look.
    fn look(&self, connections: &[Connection]) -> Wanted {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(now) = proc::server(&self.pid_file) else { return Wanted::default() };
        let Some(before) = seen.server.replace(now).filter(|before| before.pid == now.pid) else {
            return Wanted::default();
        };
        let idle = now.idle.saturating_sub(before.idle) as f64 / TICKS;
        let is_short = part(idle, before.at, now.at) <= IDLE;
        // All of them: one serves another connection at each look, of somebody who comes anew for
        // each query.
        let threads = proc::threads(now.pid);
        let mut parts: BTreeMap<TenantUid, f64> = BTreeMap::new();
        for connection in connections {
            let thread = &connection.thread;
            // At the first look of a busy time nothing is known of what was before.
            let Some((wanted, then)) = threads.get(thread).zip(seen.threads.get(thread)) else {
                continue;
            };
            let seconds = wanted.saturating_sub(*then) as f64 / 1e9;
            *parts.entry(connection.uid).or_default() += part(seconds, before.at, now.at);
        }
        seen.threads = threads;
        let spared = self.spared.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|uid, part| *part >= USER_BUSY && !spared.contains(uid));
        Wanted { parts, is_short }
    }

    /// Who is held from now on, and who is let go.
    fn decide(&self, wanted: &Wanted, now: Instant) -> (Vec<TenantUid>, Vec<TenantUid>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let half = f64::from(self.half);
        let mut begins = Vec::new();
        for (uid, part) in &wanted.parts {
            let is_too_much = wanted.is_short && *part > half * HELD_ABOVE;
            if is_too_much || (held.sites.contains_key(uid) && *part > half / 2.0) {
                held.sites.insert(*uid, now + HELD_FOR);
            }
            if is_too_much {
                // Also who is held already: somebody gave it its connections back.
                begins.push(*uid);
            }
        }
        let ends = held.sites.extract_if(.., |_, until| *until <= now).map(|(uid, _)| uid);
        (begins, ends.collect())
    }

    /// Says who keeps the server busy, and ends what such a user runs beyond what it may.
    pub(super) async fn hold(
        &self,
        session: &mut MySqlConnection,
    ) -> Result<Vec<BusySite>, DriverError> {
        self.begin(session).await?;
        let connections = connections(session).await?;
        let wanted = self.look(&connections);
        let (begins, ends) = self.decide(&wanted, Instant::now());
        for (uids, most) in [(begins, self.half), (ends, DB_CONNECTIONS_PER_TENANT)] {
            for uid in uids {
                limit(session, uid, most).await?;
            }
        }
        let held: BTreeSet<TenantUid> = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sites
            .keys()
            .copied()
            .collect();
        let busy: BTreeSet<TenantUid> = wanted.parts.keys().chain(&held).copied().collect();
        let busy = busy.into_iter().map(|uid| {
            let is_held = held.contains(&uid);
            let queries = if is_held { self.half } else { RUNNING_MAX };
            BusySite { uid, queries, is_held }
        });
        let mut busy: Vec<BusySite> = busy.collect();
        let mut ends: Vec<i64> = busy.iter().flat_map(|site| beyond(&connections, site)).collect();
        for (uid, id) in greedy(&connections) {
            ends.push(id);
            if busy.iter().all(|site| site.uid != uid) {
                busy.push(BusySite { uid, queries: RUNNING_MAX, is_held: false });
            }
        }
        for id in ends {
            // It may have ended by itself.
            let _ = execute(session, "end a connection", &format!("KILL CONNECTION {id};")).await;
        }
        Ok(busy)
    }

    /// Lets go whom a process before this one held.
    async fn begin(&self, session: &mut MySqlConnection) -> Result<(), DriverError> {
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).is_begun {
            return Ok(());
        }
        let users: Vec<String> = sqlx::query_scalar(
            "SELECT CONVERT(User USING utf8mb4) FROM mysql.user \
             WHERE User LIKE 't\\_%' AND max_user_connections < ?",
        )
        .bind(DB_CONNECTIONS_PER_TENANT)
        .fetch_all(&mut *session)
        .await
        .map_err(|error| sql_error(HOLD, error))?;
        for uid in users.iter().filter_map(|user| tenant_of_handle(user)) {
            limit(session, uid, DB_CONNECTIONS_PER_TENANT).await?;
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).is_begun = true;
        Ok(())
    }
}

/// How many connections a user may have; a user who is gone needs none.
async fn limit(
    session: &mut MySqlConnection,
    uid: TenantUid,
    most: u32,
) -> Result<(), DriverError> {
    let (name, what) = (account_name(uid), HOLD);
    let statement = format!("ALTER USER IF EXISTS {name} WITH MAX_USER_CONNECTIONS {most};");
    execute(session, what, &statement).await.map(drop)
}

/// A connection of a site.
#[derive(Debug, Clone, Copy)]
struct Connection {
    id: i64,
    /// The thread that serves it.
    thread: i32,
    uid: TenantUid,
    is_running: bool,
    /// Bytes.
    memory: i64,
}

/// Connections of users who take too much memory, the largest first, until the rest is within
/// [`MEMORY_MAX`].
fn greedy(connections: &[Connection]) -> Vec<(TenantUid, i64)> {
    let mut all: Vec<&Connection> = connections.iter().collect();
    all.sort_unstable_by_key(|one| one.memory);
    let mut taken: BTreeMap<TenantUid, i64> = BTreeMap::new();
    let too_much = all.into_iter().filter(|one| {
        let sum = taken.entry(one.uid).or_default();
        *sum = sum.saturating_add(one.memory);
        *sum > MEMORY_MAX
    });
    too_much.map(|one| (one.uid, one.id)).collect()
}

/// Connections of a user that run a query, but for the oldest of them.
fn beyond(connections: &[Connection], site: &BusySite) -> Vec<i64> {
    let own = connections.iter().filter(|one| one.uid == site.uid && one.is_running);
    let mut ids: Vec<i64> = own.map(|one| one.id).collect();
    ids.sort_unstable();
    ids.split_off(ids.len().min(usize::try_from(site.queries).unwrap_or(usize::MAX)))
}

async fn connections(session: &mut MySqlConnection) -> Result<Vec<Connection>, DriverError> {
    let found: Vec<(i64, i64, String, i64, i64)> = sqlx::query_as(
        "SELECT CAST(ID AS SIGNED), CAST(TID AS SIGNED), CONVERT(USER USING utf8mb4), \
         CAST(COMMAND IN ('Query', 'Execute') AS SIGNED), CAST(MEMORY_USED AS SIGNED) \
         FROM information_schema.PROCESSLIST WHERE USER LIKE 't\\_%'",
    )
    .fetch_all(session)
    .await
    .map_err(|error| sql_error("list connections", error))?;
    let known = found.into_iter().filter_map(|(id, thread, user, running, memory)| {
        let (thread, uid) = (i32::try_from(thread).ok()?, tenant_of_handle(&user)?);
        Some(Connection { id, thread, uid, is_running: running != 0, memory })
    });
    Ok(known.collect())
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
        let one = |id, uid, is_running| Connection { id, thread: 1, uid, is_running, memory: 0 };
        let mut all: Vec<Connection> = (1..=10).rev().map(|id| one(id, busy, true)).collect();
        all.push(one(0, busy, false));
        all.extend((20..40).map(|id| one(id, other, true)));
        let may = |queries| BusySite { uid: busy, queries, is_held: false };
        assert_eq!(beyond(&all, &may(8)), [9, 10]);
        assert!(beyond(&all[..8], &may(8)).is_empty());
        assert_eq!(beyond(&all[..4], &may(1)), [8, 9, 10]);
    }

    #[test]
    fn who_takes_all_cores_is_held_until_it_was_calm_for_a_while() {
        let calm = Calm { half: 2, ..Calm::new(PathBuf::from("/nowhere")) };
        let uid = TenantUid(uuid::Uuid::from_u128(1));
        let wants = |part, is_short| Wanted { parts: BTreeMap::from([(uid, part)]), is_short };
        let none = (vec![], vec![]);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(calm.decide(&wants(4.0, false), start), none, "there are idle cores");
        assert_eq!(calm.decide(&wants(2.3, true), start), none, "it wants its half");
        assert_eq!(calm.decide(&wants(2.5, true), start), (vec![uid], vec![]));
        // It goes on with what it may.
        assert_eq!(calm.decide(&wants(2.0, true), at(100)), none);
        assert_eq!(calm.decide(&wants(2.0, false), at(200)), none);
        assert_eq!(calm.decide(&Wanted::default(), at(499)), none);
        assert_eq!(calm.decide(&wants(0.9, true), at(500)), (vec![], vec![uid]), "it was calm");
        assert_eq!(calm.decide(&wants(4.0, true), at(501)), (vec![uid], vec![]));
        // Its account was made right meanwhile: once more.
        assert_eq!(calm.decide(&wants(4.0, true), at(502)), (vec![uid], vec![]));
    }

    #[test]
    fn what_the_platform_does_in_a_sites_name_is_spared() {
        let calm = Calm::new(PathBuf::from("/nowhere"));
        let uid = TenantUid(uuid::Uuid::from_u128(1));
        let spared = calm.spare(uid);
        assert!(calm.spared.lock().unwrap().contains(&uid));
        drop(spared);
        assert!(calm.spared.lock().unwrap().is_empty());
    }

    #[test]
    fn who_takes_too_much_memory_loses_the_largest_connections() {
        let uid = |number| TenantUid(uuid::Uuid::from_u128(number));
        let one = |id, number, mib: i64| {
            let memory = mib * 1024 * 1024;
            Connection { id, thread: 1, uid: uid(number), is_running: false, memory }
        };
        let all = [one(1, 1, 300), one(2, 1, 200), one(3, 1, 12), one(4, 2, 512), one(5, 3, 513)];
        assert_eq!(greedy(&all), [(uid(3), 5)]);
        let more = [one(1, 1, 300), one(2, 1, 200), one(3, 1, 13), one(4, 1, 400)];
        assert_eq!(greedy(&more), [(uid(1), 1), (uid(1), 4)]);
    }

    #[test]
    fn a_part_is_of_the_time_that_passed() {
        let at = Instant::now();
        assert!((part(1.5, at, at + Duration::from_secs(2)) - 0.75).abs() < 0.001);
    }
}
