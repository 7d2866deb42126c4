//! Ends what a killed supervisor left running, before anything is started.
//!
//! Only what is proven ours is touched. The leader: same boot, same id, same
//! start time as recorded. A member of its session: it was there while the
//! leader lived, or it executes the unit's program, or it has the unit's log
//! open. Anything else in a session of that number is left alone and named.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::process::KILL_TIMEOUT;
use crate::procfs::{self, Stat};
use crate::record::{Record, RecordDir};
use crate::supervisor::Notice;
use crate::sweep::{self, Exit, SweepError};

/// Why leftovers are still there.
#[derive(Debug, thiserror::Error)]
pub enum LeftoverError {
    /// One could not be ended.
    #[error("end what is left of unit {unit}: {error}")]
    End {
        /// The unit of the earlier run.
        unit: String,
        /// Why.
        error: SweepError,
    },
    /// The records could not be read or removed.
    #[error("read unit records: {0}")]
    Records(#[from] io::Error),
}

/// Ends all recorded units, each after those that need it.
pub(crate) async fn end_all(
    records: &RecordDir,
    boot_id: &str,
    notice: &Notice,
) -> Result<(), LeftoverError> {
    let mut left = records.list()?;
    for old in left.extract_if(.., |record| record.boot_id != boot_id) {
        records.remove(&old.name)?;
    }
    while !left.is_empty() {
        let mut ending = JoinSet::new();
        for record in take_wave(&mut left) {
            ending.spawn(end(record, notice.clone()));
        }
        while let Some(ended) = ending.join_next().await {
            records.remove(&ended.map_err(io::Error::other)??)?;
        }
    }
    Ok(())
}

/// Those that no other one needs; all of them when they need each other
/// (records of several runs).
fn take_wave(left: &mut Vec<Record>) -> Vec<Record> {
    let needed: BTreeSet<String> = left.iter().flat_map(|record| record.after.clone()).collect();
    let wave: Vec<Record> = left.extract_if(.., |record| !needed.contains(&record.name)).collect();
    if wave.is_empty() { std::mem::take(left) } else { wave }
}

/// Ends one; gives its name.
async fn end(record: Record, notice: Notice) -> Result<String, LeftoverError> {
    let unit = record.name.clone();
    match end_processes(record, notice).await {
        Ok(()) => Ok(unit),
        Err(error) => Err(LeftoverError::End { unit, error }),
    }
}

async fn end_processes(record: Record, notice: Notice) -> Result<(), SweepError> {
    let session = record.pid;
    let leader = procfs::stat(session)
        .filter(|stat| stat.start_ticks == record.start_ticks && !stat.is_dead());
    let mut known = Vec::new();
    if let Some(leader) = leader
        && let Some(handle) = procfs::open_same(&leader)?
    {
        known = procfs::session_members(session)?;
        notice.say(format!("ending {} (process {session}) of an earlier run", record.name));
        let exit = Exit::new(handle)?;
        let signalled = exit.signal(record.stop.signal.as_signal());
        signalled.map_err(|_| SweepError::NotPermitted(session))?;
        if tokio::time::timeout(record.stop.grace, exit.wait()).await.is_err() {
            exit.signal(Signal::KILL)?;
            let killed = tokio::time::timeout(KILL_TIMEOUT, exit.wait()).await;
            killed.map_err(|_| SweepError::Undead(vec![session]))?;
        }
    }
    let proof = Arc::new((record, known));
    let proven = proof.clone();
    let find = move || {
        let mut members = procfs::session_members(session)?;
        members.retain(|member| is_ours(member, &proven.0, &proven.1));
        Ok(members)
    };
    let swept = sweep::kill_all(find, KILL_TIMEOUT).await?;
    let name = &proof.0.name;
    if swept > 0 {
        notice.say(format!("ended {swept} processes of {name} of an earlier run"));
    }
    for member in procfs::session_members(session)? {
        let program = procfs::command_name(member.pid).unwrap_or_default();
        notice.say(format!(
            "process {} ({program}) may be left of {name}, which cannot be proven: left alone",
            member.pid
        ));
    }
    Ok(())
}

fn is_ours(member: &Stat, record: &Record, known: &[Stat]) -> bool {
    member.start_ticks >= record.start_ticks
        && (known
            .iter()
            .any(|stat| (stat.pid, stat.start_ticks) == (member.pid, member.start_ticks))
            || procfs::executable(member.pid).is_some_and(|program| program == record.program)
            || procfs::has_open(member.pid, &record.log))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::StopPolicy;

    fn record(name: &str, after: &[&str]) -> Record {
        Record {
            name: name.into(),
            pid: i32::MAX,
            start_ticks: 1,
            boot_id: "now".into(),
            program: "/bin/true".into(),
            log: "/nowhere".into(),
            stop: StopPolicy::default(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn names(wave: &[Record]) -> Vec<&str> {
        wave.iter().map(|record| record.name.as_str()).collect()
    }

    #[test]
    fn what_others_need_ends_last() {
        let mut left = vec![record("db", &[]), record("php", &["db"]), record("edge", &["php"])];
        assert_eq!(names(&take_wave(&mut left)), ["edge"]);
        assert_eq!(names(&take_wave(&mut left)), ["php"]);
        assert_eq!(names(&take_wave(&mut left)), ["db"]);
        let mut circle = vec![record("a", &["b"]), record("b", &["a"])];
        assert_eq!(take_wave(&mut circle).len(), 2);
    }

    #[test]
    fn a_process_is_ours_only_with_proof() {
        let own = procfs::stat(procfs::own_pid()).unwrap();
        let mut record = record("a", &[]);
        assert!(!is_ours(&own, &record, &[]));
        assert!(is_ours(&own, &record, std::slice::from_ref(&own)));
        record.program = procfs::executable(own.pid).unwrap();
        assert!(is_ours(&own, &record, &[]));
        record.start_ticks = own.start_ticks + 1;
        assert!(!is_ours(&own, &record, std::slice::from_ref(&own)), "older than the unit");
    }

    #[tokio::test]
    async fn a_record_of_another_process_or_boot_ends_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let records = RecordDir::open(dir.path()).unwrap();
        let own = procfs::stat(procfs::own_pid()).unwrap();
        let mut stale = record("stale", &[]);
        stale.pid = own.pid;
        stale.start_ticks = own.start_ticks + 1;
        let mut rebooted = record("rebooted", &[]);
        rebooted.pid = own.pid;
        rebooted.start_ticks = own.start_ticks;
        rebooted.boot_id = "then".into();
        records.write(&stale).unwrap();
        records.write(&rebooted).unwrap();
        end_all(&records, "now", &Notice::default()).await.unwrap();
        assert!(records.list().unwrap().is_empty());
    }
}
