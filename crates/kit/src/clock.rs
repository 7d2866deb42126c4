//! The clock, injected: tests set it, roles read the machine's.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use time::OffsetDateTime;

/// Where the time of day comes from. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `at` (whole milliseconds) until [`Clock::set`] moves it.
    pub fn fixed(at: OffsetDateTime) -> Self {
        Self(Some(Arc::new(AtomicI64::new(millis(at)))))
    }

    /// Now, in UTC, cut to whole milliseconds so that a value survives every store and wire.
    pub fn now(&self) -> OffsetDateTime {
        let at = match &self.0 {
            Some(fixed) => fixed.load(Ordering::Relaxed),
            None => millis(OffsetDateTime::now_utc()),
        };
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Moves a fixed clock; does nothing to the machine's.
    pub fn set(&self, at: OffsetDateTime) {
        if let Some(fixed) = &self.0 {
            fixed.store(millis(at), Ordering::Relaxed);
        }
    }
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
    }
}
