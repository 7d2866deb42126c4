//! When a dead unit is started again.
//!
//! Pure arithmetic on durations; it reads no clock. The first restart is at
//! once: a crash is rare and a visitor is waiting. Only the second in a row
//! waits. No jitter: a machine has a dozen units, not a thousand.

use std::time::Duration;

/// Exponential backoff between restarts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Wait before the second restart in a row (the first is at once).
    pub first: Duration,
    /// What each further wait is multiplied with; below 1 counts as 1.
    pub factor: u32,
    /// The longest wait.
    pub max: Duration,
    /// A unit that was up for this long has a clean slate.
    pub reset_after: Duration,
    /// Deaths in a row after which it is left `failed` until somebody starts
    /// it; `None` goes on for ever.
    pub give_up_after: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            factor: 2,
            max: Duration::from_secs(30),
            reset_after: Duration::from_secs(10),
            give_up_after: None,
        }
    }
}

impl Backoff {
    /// Wait before the restart that follows the `deaths`-th death in a row
    /// (from 1).
    pub fn delay(&self, deaths: u32) -> Duration {
        let Some(doublings) = deaths.checked_sub(2) else { return Duration::ZERO };
        let factor = self.factor.max(1).checked_pow(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.max)
    }
}

/// Counts a unit's deaths in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeathCount(u32);

/// What to do after a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDeath {
    /// Start again after this long.
    Restart(Duration),
    /// Too many deaths in a row.
    GiveUp,
}

impl DeathCount {
    /// Notes a death. `up` is how long the unit had been ready; zero when it
    /// never was.
    pub fn died(&mut self, policy: &Backoff, up: Duration) -> AfterDeath {
        if up >= policy.reset_after {
            self.0 = 0;
        }
        self.0 = self.0.saturating_add(1);
        match policy.give_up_after {
            Some(limit) if self.0 >= limit => AfterDeath::GiveUp,
            _ => AfterDeath::Restart(policy.delay(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Backoff {
        Backoff {
            first: Duration::from_millis(200),
            factor: 3,
            max: Duration::from_secs(10),
            reset_after: Duration::from_secs(60),
            give_up_after: None,
        }
    }

    #[test]
    fn first_restart_is_at_once_and_later_ones_grow_to_the_maximum() {
        let waits: Vec<u64> =
            (1..=8).map(|n| u64::try_from(policy().delay(n).as_millis()).unwrap()).collect();
        assert_eq!(waits, [0, 200, 600, 1800, 5400, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn no_number_of_deaths_overflows() {
        assert_eq!(policy().delay(u32::MAX), Duration::from_secs(10));
        assert_eq!(Backoff { factor: 0, ..policy() }.delay(9), Duration::from_millis(200));
        assert_eq!(policy().delay(0), Duration::ZERO);
    }

    #[test]
    fn a_stable_time_wipes_the_slate() {
        let mut deaths = DeathCount::default();
        let ms = |n| AfterDeath::Restart(Duration::from_millis(n));
        assert_eq!(deaths.died(&policy(), Duration::ZERO), ms(0));
        assert_eq!(deaths.died(&policy(), Duration::from_secs(59)), ms(200));
        assert_eq!(deaths.died(&policy(), Duration::from_secs(60)), ms(0));
        assert_eq!(deaths.died(&policy(), Duration::ZERO), ms(200));
    }

    #[test]
    fn gives_up_only_when_told_to() {
        let policy = Backoff { give_up_after: Some(3), ..policy() };
        let mut deaths = DeathCount::default();
        assert_ne!(deaths.died(&policy, Duration::ZERO), AfterDeath::GiveUp);
        assert_ne!(deaths.died(&policy, Duration::ZERO), AfterDeath::GiveUp);
        assert_eq!(deaths.died(&policy, Duration::ZERO), AfterDeath::GiveUp);
    }
}
