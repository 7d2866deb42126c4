//! When a delivery is tried again, and when it is given up. Stated in `docs/webhooks.md`.

use time::Duration;

/// Waits after the first, second … failed attempt; the attempt after the last one is the end.
const WAITS: [Duration; 9] = [
    Duration::seconds(5),
    Duration::seconds(30),
    Duration::minutes(2),
    Duration::minutes(5),
    Duration::minutes(15),
    Duration::hours(1),
    Duration::hours(3),
    Duration::hours(8),
    Duration::hours(12),
];
/// Attempts of one delivery, the first one included.
pub const ATTEMPTS: u32 = WAITS.len() as u32 + 1;
/// After so many attempts (some 8 minutes) later deliveries go past one that fails.
pub(super) const BLOCKING: u32 = 5;
/// A webhook that no delivery has reached for so long is paused.
pub(super) const PAUSE_AFTER: Duration = Duration::days(3);
/// A wait that an endpoint asks for (`Retry-After`) counts up to here.
const ASKED_MAX: Duration = Duration::hours(1);
/// A wait is up to so many percent shorter or longer, so that not all come back at once.
const JITTER_PERCENT: i64 = 20;

/// The wait after `attempts` attempts; `None` when it is given up. `random` decides the jitter,
/// `asked` is what the endpoint wants.
pub(super) fn wait(attempts: u32, random: u8, asked: Option<Duration>) -> Option<Duration> {
    let index = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let base = *WAITS.get(index)?;
    // From -20 % to +20 %.
    let percent = i64::from(random) * 2 * JITTER_PERCENT / 255 - JITTER_PERCENT;
    let wait: Duration = base + base * i32::try_from(percent).unwrap_or(0) / 100;
    Some(wait.max(asked.unwrap_or(Duration::ZERO).min(ASKED_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_day_and_end() {
        let mut total = Duration::ZERO;
        for attempts in 1..ATTEMPTS {
            total += wait(attempts, 128, None).unwrap();
        }
        assert_eq!(total.whole_hours(), 24);
        assert_eq!(wait(ATTEMPTS, 0, None), None);
        assert_eq!(wait(0, 0, None), None);
    }

    #[test]
    fn jitter_and_the_endpoints_wish_are_bounded() {
        assert_eq!(wait(1, 0, None), Some(Duration::seconds(4)));
        assert_eq!(wait(1, 255, None), Some(Duration::seconds(6)));
        assert_eq!(wait(1, 0, Some(Duration::minutes(1))), Some(Duration::minutes(1)));
        assert_eq!(wait(1, 0, Some(Duration::days(9))), Some(Duration::hours(1)));
        assert!(wait(7, 0, Some(Duration::SECOND)).unwrap() > Duration::hours(2));
    }
}
