//! WordPress's scheduled events: when each site's next one is due, and who wakes the site.
//!
//! WordPress's own trigger, a visit, is off. A site says when it wants to be woken (the time of
//! `private/cron-due`, set by the must-use plugin), and a slow scan of its database, without PHP,
//! finds what was never said. Both are a site's own words: whoever lies wakes only himself, and no
//! more often than [`schedule::WAKES_BURST`] allows.
//!
//! What is due is not kept here: it is read again after a restart. Kept are the counts
//! (`cron.json`).

mod record;
pub(crate) mod schedule;
pub(crate) mod wake;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_api::cron::CronRunView;
use aipress_api::cron::CronView;
use aipress_api::cron::CronWakesView;
use aipress_api::internal::CronTallies;
use aipress_kit::clock::Clock;
use aipress_types::TenantUid;
use time::OffsetDateTime;
use tokio::time::Instant;

use self::record::Record;
use self::schedule::Ended;
use self::schedule::Moment;
use self::schedule::Schedule;
use self::schedule::Wake;

/// The index of due times, and what was done.
pub(crate) struct Cron {
    clock: Clock,
    begun: Instant,
    file: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    schedule: Schedule,
    record: Record,
    /// Since this process began.
    tallies: CronTallies,
}

impl Cron {
    /// With the counts that the last control plane left in `file`.
    pub(crate) fn restore(file: PathBuf, clock: Clock) -> Self {
        let inner = Inner {
            schedule: Schedule::default(),
            record: Record::load(&file),
            tallies: CronTallies::default(),
        };
        Self { clock, begun: Instant::now(), file, inner: Mutex::new(inner) }
    }

    /// Forgets all sites but these, and learns those that are new.
    pub(crate) fn keep_only(&self, served: &BTreeSet<TenantUid>, known: &BTreeSet<TenantUid>) {
        let now = self.now();
        let mut inner = self.lock();
        inner.schedule.keep_only(served, now);
        inner.record.keep_only(known);
    }

    /// What a site's mark says.
    pub(crate) fn tell(&self, uid: TenantUid, told: Option<i64>) {
        let now = self.now();
        self.lock().schedule.tell(uid, told, now);
    }

    /// A site whose database is to be read now.
    pub(crate) fn scan(&self) -> Option<TenantUid> {
        let now = self.now();
        self.lock().schedule.scan(now)
    }

    /// What its database says; `None` when nothing is scheduled.
    pub(crate) fn found(&self, uid: TenantUid, due: Option<i64>) {
        let now = self.now();
        self.lock().schedule.found(uid, due, now);
    }

    /// Sites to wake now; each is running from here on.
    pub(crate) fn wake(&self) -> Vec<Wake> {
        let now = self.now();
        let mut inner = self.lock();
        let wakes = inner.schedule.wake(now);
        for wake in &wakes {
            inner.record.woken(wake.uid, self.clock.now());
            inner.tallies.wakes += 1;
        }
        wakes
    }

    /// A run is over. How long the site rests now, when it failed.
    pub(crate) fn ended(
        &self,
        uid: TenantUid,
        began: OffsetDateTime,
        took: Duration,
        ended: &Ended,
    ) -> Option<Duration> {
        let now = self.now();
        let mut inner = self.lock();
        if *ended != Ended::Unasked {
            inner.record.ran(uid, began, took, ended);
        }
        inner.tallies.failures += u64::from(matches!(ended, Ended::Failed(_)));
        inner.schedule.ended(uid, ended, now)
    }

    /// What was counted since this process began, and how many run now.
    pub(crate) fn tallies(&self) -> CronTallies {
        let inner = self.lock();
        CronTallies { running: inner.schedule.running(), ..inner.tallies }
    }

    /// Writes the counts when there are new ones.
    pub(crate) fn write(&self) {
        let text = self.lock().record.news();
        let Some(text) = text else { return };
        if let Err(error) = aipress_kit::durable::write(&self.file, &text, 0o600) {
            tracing::warn!(path = %self.file.display(), %error, "wakes can't be kept on disk");
        }
    }

    /// What is known of a site.
    pub(crate) fn view(&self, uid: TenantUid) -> CronView {
        let inner = self.lock();
        let state = inner.schedule.state(uid);
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok();
        let now = self.now();
        let resting = state.rest_until.and_then(|until| until.checked_sub(now.mono));
        let kept = inner.record.of(uid);
        CronView {
            next_due_at: state.due.and_then(at),
            is_running: state.is_running,
            failures: state.failures,
            resting_until: resting.map(|rest| whole(self.clock.now() + rest)),
            last_run: kept.last.as_ref().and_then(|last| {
                Some(CronRunView {
                    at: at(last.at)?,
                    duration_ms: last.duration_ms,
                    problem: last.problem.clone(),
                })
            }),
            wakes: kept
                .days
                .iter()
                .rev()
                .map(|(date, count)| CronWakesView { date: date.clone(), count: *count })
                .collect(),
        }
    }

    fn now(&self) -> Moment {
        Moment {
            wall_ms: i64::try_from(self.clock.now().unix_timestamp_nanos() / 1_000_000)
                .unwrap_or(i64::MAX),
            mono: self.begun.elapsed(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}
