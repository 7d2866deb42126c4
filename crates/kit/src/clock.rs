//! The clock, injected: tests set it, roles read the machine's. Beside the time of day, which may jump,
//! a time that only passes.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use time::OffsetDateTime;

/// Where the time of day comes from. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Fixed>>);

/// A clock of a test, in milliseconds.
#[derive(Debug)]
struct Fixed {
    at: AtomicI64,
    passed: AtomicI64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `at` (whole milliseconds) until [`Clock::set`] moves it.
    pub fn fixed(at: OffsetDateTime) -> Self {
        Self(Some(Arc::new(Fixed { at: AtomicI64::new(millis(at)), passed: AtomicI64::new(0) })))
    }

    /// Now, in UTC, cut to whole milliseconds so that a value survives every store and wire.
    pub fn now(&self) -> OffsetDateTime {
        let at = match &self.0 {
            Some(fixed) => fixed.at.load(Ordering::Relaxed),
            None => millis(OffsetDateTime::now_utc()),
        };
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// What has passed since the machine began, sleep included. Nobody who sets the time of day moves
    /// it; it begins anew with each boot.
    pub fn passed(&self) -> Duration {
        match &self.0 {
            Some(fixed) => {
                let passed = fixed.passed.load(Ordering::Relaxed);
                Duration::from_millis(u64::try_from(passed).unwrap_or(0))
            }
            None => uptime(),
        }
    }

    /// Lets time pass on a fixed clock until it is so late; does nothing to the machine's.
    pub fn set(&self, at: OffsetDateTime) {
        if let Some(fixed) = &self.0 {
            let before = fixed.at.swap(millis(at), Ordering::Relaxed);
            fixed.passed.fetch_add((millis(at) - before).max(0), Ordering::Relaxed);
        }
    }

    /// Puts a fixed clock there, as somebody does who sets it: no time passes.
    pub fn jump(&self, at: OffsetDateTime) {
        if let Some(fixed) = &self.0 {
            fixed.at.store(millis(at), Ordering::Relaxed);
        }
    }
}

/// `/proc/uptime` counts sleep, which [`Instant`] does not.
fn uptime() -> Duration {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let begun = BEGUN.get_or_init(Instant::now);
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split(' ').next().and_then(|first| first.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or_else(|| begun.elapsed())
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_stands_until_it_is_moved() {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        let copy = clock.clone();
        assert_eq!(copy.now(), OffsetDateTime::UNIX_EPOCH);
        clock.set(OffsetDateTime::UNIX_EPOCH + time::Duration::hours(2));
        assert_eq!(copy.now().unix_timestamp(), 7_200);
        assert_eq!(copy.passed(), Duration::from_secs(7_200));
        clock.jump(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(copy.now(), OffsetDateTime::UNIX_EPOCH);
        assert_eq!(copy.passed(), Duration::from_secs(7_200));
    }

    #[test]
    fn the_machines_time_passes() {
        let clock = Clock::system();
        let before = clock.passed();
        assert!(before > Duration::ZERO && clock.passed() >= before);
    }
}
