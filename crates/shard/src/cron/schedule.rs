//! Which site is woken when. Pure: the time is given, nothing is asked.
//!
//! The time of day decides what is due, a clock that only goes forward how long something rests:
//! so a time of day that jumps makes what it passed due, and delays nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use aipress_types::TenantUid;

/// What is due is waited for this long, so that what is due next to it is done in one run.
const GATHER_MS: i64 = 1000;
/// A site with a lot to do is woken this often in a row, and then once in [`WAKES_EVERY`].
pub(crate) const WAKES_BURST: u32 = 10;
/// See [`WAKES_BURST`].
pub(crate) const WAKES_EVERY: Duration = Duration::from_secs(30);
/// Runs that begin at once. Longer than [`QUICK`], and a run no longer counts: nobody waits for it.
pub(crate) const QUICK_AT_ONCE: usize = 8;
/// See [`QUICK_AT_ONCE`].
pub(crate) const QUICK: Duration = Duration::from_secs(2);
/// Runs at once of sites whose last one took longer than [`SLOW`]: they wait for each other.
pub(crate) const SLOW_AT_ONCE: usize = 8;
/// See [`SLOW_AT_ONCE`].
pub(crate) const SLOW: Duration = Duration::from_secs(30);
/// Between tries when the platform could not ask the site.
const UNASKED: Duration = Duration::from_secs(5);
/// Between tries of a site whose cron fails or gets nowhere: doubles to [`REST_MAX`].
const REST_FIRST: Duration = Duration::from_secs(10);
/// See [`REST_FIRST`].
const REST_MAX: Duration = Duration::from_secs(3600);
/// A site's database is read this often.
pub(crate) const SCAN_EVERY: Duration = Duration::from_secs(600);
/// The first reading of all sites, after a start, is spread over this time.
const SCAN_SPREAD: Duration = Duration::from_secs(60);
/// A repeated event may be told later than it is due, by this much (`mu-plugins/aipress/cron.php`):
/// only what the database has still earlier was never said.
const TOLD_LATE_S: i64 = 60;

/// Now, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub(crate) wall_ms: i64,
    /// Since the control plane started.
    pub(crate) mono: Duration,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// WordPress said that it is done.
    Done,
    /// The site could not be asked, by no fault of its own.
    Unasked,
    /// What went wrong.
    Failed(String),
}

/// A site to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wake {
    pub(crate) uid: TenantUid,
    /// Since when it is due, in seconds since 1970.
    pub(crate) due: i64,
}

/// What is known of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) due: Option<i64>,
    pub(crate) is_running: bool,
    pub(crate) failures: u32,
    pub(crate) rest_until: Option<Duration>,
}

/// All sites.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    sites: BTreeMap<TenantUid, Site>,
}

#[derive(Debug)]
struct Site {
    /// In seconds since 1970; `None` when nothing is scheduled, as far as is known.
    due: Option<i64>,
    /// What its mark said last.
    told: Option<i64>,
    run: Option<Run>,
    /// It was run for this, and has not shown yet that it got anywhere.
    owes: Option<i64>,
    failures: u32,
    rest_until: Option<Duration>,
    is_slow: bool,
    wakes: Allowance,
    scan_at: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    due: i64,
    began: Duration,
    is_slow: bool,
}

/// Wakes that a site may have.
#[derive(Debug)]
struct Allowance {
    left: u32,
    /// Up to when the passed time was turned into wakes.
    counted: Duration,
}

impl Allowance {
    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.counted);
        let earned = u32::try_from(passed.as_secs() / WAKES_EVERY.as_secs()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(WAKES_BURST);
        self.counted += WAKES_EVERY.saturating_mul(earned);
    }
}

impl Site {
    fn rest(&mut self, now: Moment) -> Duration {
        let doublings = self.failures.min(16);
        let rest = REST_FIRST.saturating_mul(1 << doublings).min(REST_MAX);
        self.failures = self.failures.saturating_add(1);
        self.rest_until = Some(now.mono + rest);
        rest
    }

    /// It was run, and its next event is known: is that another than before?
    fn prove(&mut self, now: Moment) {
        let Some(ran_for) = self.owes.filter(|_| self.run.is_none()) else { return };
        self.owes = None;
        if self.due.is_some_and(|due| due <= ran_for) {
            self.rest(now);
        } else {
            self.failures = 0;
            self.rest_until = None;
        }
    }

    fn is_due(&self, now: Moment) -> bool {
        let rests = self.rest_until.is_some_and(|until| now.mono < until);
        let due = self.due.is_some_and(|due| due.saturating_mul(1000) <= now.wall_ms - GATHER_MS);
        due && self.run.is_none() && !rests && self.wakes.left > 0
    }
}

impl Schedule {
    /// Forgets all sites but these, and learns those that are new.
    pub(crate) fn keep_only(&mut self, served: &BTreeSet<TenantUid>, now: Moment) {
        self.sites.retain(|uid, _| served.contains(uid));
        for uid in served {
            self.sites.entry(*uid).or_insert_with(|| Site {
                due: None,
                told: None,
                run: None,
                owes: None,
                failures: 0,
                rest_until: None,
                is_slow: false,
                wakes: Allowance { left: WAKES_BURST, counted: now.mono },
                scan_at: now.mono + part(*uid, SCAN_SPREAD),
            });
        }
    }

    /// What a site's mark says; only news count.
    pub(crate) fn tell(&mut self, uid: TenantUid, told: Option<i64>, now: Moment) {
        let Some(site) = self.sites.get_mut(&uid) else { return };
        if site.told == told {
            return;
        }
        (site.told, site.due) = (told, told);
        site.prove(now);
    }

    /// What a site's database says.
    pub(crate) fn found(&mut self, uid: TenantUid, due: Option<i64>, now: Moment) {
        let Some(site) = self.sites.get_mut(&uid) else { return };
        let is_earlier = match (due, site.due) {
            (Some(found), Some(known)) => found < known - TOLD_LATE_S,
            (found, None) => found.is_some(),
            (None, Some(_)) => false,
        };
        if is_earlier {
            site.due = due;
        }
        site.prove(now);
    }

    /// A site whose database is to be read now; each one in [`SCAN_EVERY`], and after a run that
    /// left its mark as it was.
    pub(crate) fn scan(&mut self, now: Moment) -> Option<TenantUid> {
        let due = self.sites.iter_mut().filter(|(_, site)| site.scan_at <= now.mono);
        let (uid, site) = due.min_by_key(|(_, site)| site.scan_at)?;
        site.scan_at = now.mono + SCAN_EVERY;
        Some(*uid)
    }

    /// Sites to wake now, the longest due first; each is running from here on.
    pub(crate) fn wake(&mut self, now: Moment) -> Vec<Wake> {
        let running = |is_slow: bool| {
            let counts = move |run: &Run| run.is_slow == is_slow;
            let runs = self.sites.values().filter_map(|site| site.run).filter(counts);
            runs.filter(|run| is_slow || now.mono.saturating_sub(run.began) < QUICK).count()
        };
        let mut quick = QUICK_AT_ONCE.saturating_sub(running(false));
        let mut slow = SLOW_AT_ONCE.saturating_sub(running(true));
        let mut due: Vec<(TenantUid, i64, bool)> = Vec::new();
        for (uid, site) in &mut self.sites {
            site.wakes.refill(now.mono);
            if let Some(at) = site.due.filter(|_| site.is_due(now)) {
                due.push((*uid, at, site.is_slow));
            }
        }
        due.sort_by_key(|(_, at, _)| *at);
        let mut wakes = Vec::new();
        for (uid, at, is_slow) in due {
            let room = if is_slow { &mut slow } else { &mut quick };
            let Some(site) = self.sites.get_mut(&uid).filter(|_| *room > 0) else { continue };
            *room -= 1;
            site.wakes.left -= 1;
            site.run = Some(Run { due: at, began: now.mono, is_slow });
            wakes.push(Wake { uid, due: at });
        }
        wakes
    }

    /// A run is over. How long the site rests, when it failed.
    pub(crate) fn ended(&mut self, uid: TenantUid, ended: &Ended, now: Moment) -> Option<Duration> {
        let site = self.sites.get_mut(&uid)?;
        let run = site.run.take()?;
        site.is_slow = now.mono.saturating_sub(run.began) > SLOW;
        match ended {
            Ended::Unasked => {
                site.rest_until = Some(now.mono + UNASKED);
                None
            }
            Ended::Failed(_) => {
                site.scan_at = now.mono;
                Some(site.rest(now))
            }
            Ended::Done => {
                site.owes = Some(run.due);
                if site.due == Some(run.due) {
                    // It said nothing: its database does.
                    site.due = None;
                    site.scan_at = now.mono;
                } else {
                    site.prove(now);
                }
                None
            }
        }
    }

    /// Sites that are running now.
    pub(crate) fn running(&self) -> u64 {
        self.sites.values().filter(|site| site.run.is_some()).count() as u64
    }

    /// What is known of a site.
    pub(crate) fn state(&self, uid: TenantUid) -> State {
        self.sites.get(&uid).map_or_else(State::default, |site| State {
            due: site.due,
            is_running: site.run.is_some(),
            failures: site.failures,
            rest_until: site.rest_until,
        })
    }
}

/// A part of a span that is the site's own, so that sites are not looked at in one moment.
fn part(uid: TenantUid, span: Duration) -> Duration {
    let share = u32::from_be_bytes([0, 0, uid.0.as_bytes()[0], uid.0.as_bytes()[1]]);
    span * share / 65_536
}

#[cfg(test)]
mod tests;
