//! Unix ids of platforms: two that run at once in one test process share none, or the end of one would be
//! the end of the other's servers.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Unix ids of one platform: base and three shards.
const IDS: u32 = 400;
/// Platforms at once of one process.
const PLATFORMS: u32 = 10;
/// First Unix id of all: nobody else's.
const FIRST_ID: u32 = 10_000_000;

/// Which of the process's ranges are in use.
static TAKEN: Mutex<[bool; PLATFORMS as usize]> = Mutex::new([false; PLATFORMS as usize]);

/// A platform's ids for as long as this lives.
#[derive(Debug)]
pub(crate) struct Ids {
    place: usize,
    range: Range<u32>,
}

impl Ids {
    /// A range that no other platform of this process has.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn take() -> Self {
        let mut taken = taken();
        let place = taken.iter().position(|taken| !taken).expect("ids of another platform");
        taken[place] = true;
        let first = of_process(std::process::id()).start;
        let first = first + u32::try_from(place).expect("a small number") * IDS;
        Self { place, range: first..first + IDS }
    }

    pub(crate) fn range(&self) -> Range<u32> {
        self.range.clone()
    }
}

impl Drop for Ids {
    fn drop(&mut self) {
        taken()[self.place] = false;
    }
}

/// All that platforms of a process may have.
pub(crate) fn of_process(pid: u32) -> Range<u32> {
    let first = FIRST_ID + pid % 100_000 * PLATFORMS * IDS;
    first..first + PLATFORMS * IDS
}

fn taken() -> MutexGuard<'static, [bool; PLATFORMS as usize]> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_anothers_ids_however_long_he_lives() {
        let long = Ids::take();
        for _ in 0..3 * PLATFORMS {
            let other = Ids::take();
            assert!(other.range.end <= long.range.start || long.range.end <= other.range.start);
            assert!(of_process(std::process::id()).contains(&other.range.start));
        }
    }
}
