//! Pauses between attempts: doubled up to a bound, with randomness that is injected. Pure.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Pause after the first failure.
const FIRST: Duration = Duration::from_millis(100);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// Where randomness comes from; any number.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn() -> u32 + Send + Sync>);

impl Jitter {
    /// Randomness by `source`; for tests that need to know.
    pub fn new(source: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    fn draw(&self) -> u32 {
        (self.0)()
    }
}

impl Default for Jitter {
    /// The operating system's randomness.
    fn default() -> Self {
        // Without any the pauses are merely regular.
        Self::new(|| aipress_kit::random::bytes().map_or(0, u32::from_ne_bytes))
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}

/// Counts failures in a row and says how long to pause.
#[derive(Debug)]
pub(crate) struct Backoff {
    jitter: Jitter,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(jitter: Jitter) -> Self {
        Self { jitter, failures: 0 }
    }

    /// The pause after one more failure: half of the doubled bound, and as much again at random,
    /// so that a thousand edges don't come back to meta in step.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let half = bound / 2;
        half + half.mul_f64(f64::from(self.jitter.draw()) / f64::from(u32::MAX))
    }

    pub(crate) fn after_success(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound_and_start_again() {
        let mut backoff = Backoff::new(Jitter::new(|| u32::MAX));
        let pauses: Vec<_> = (0..9).map(|_| backoff.after_failure().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
        backoff.after_success();
        assert_eq!(backoff.after_failure(), FIRST);
    }

    #[test]
    fn chance_takes_away_half_at_most() {
        let mut backoff = Backoff::new(Jitter::new(|| 0));
        assert_eq!(backoff.after_failure(), FIRST / 2);
    }
}
