//! Whether what is kept for a while may go by its age. Not when the clock has jumped: a machine that
//! believes for a minute that it is ten years later would erase every deleted site and all history,
//! and nobody brings these back. So the time of day is compared with the time that has passed; once
//! it is ahead, all is kept for another window, in which somebody can put the clock right.

use aipress_store::StoreError;
use aipress_types::capacity::UNDELETE_WINDOW_S;
use serde::Deserialize;
use serde::Serialize;

use crate::change::Change;
use crate::plane::Plane;

/// Where it is kept what the clock said last.
const SETTING: &str = "retention_clock";
/// What the time of day may be ahead of what has passed: summer time put in by hand, a slow look.
const SLACK_S: i64 = 2 * 3_600;
/// How long a machine may be off without that its clock is doubted: a long weekend.
const OFF_S: i64 = 4 * 24 * 3_600;
/// How long all is kept after a jump: as long as a deleted site.
const WINDOW_S: i64 = UNDELETE_WINDOW_S.cast_signed();
/// What was seen is written this often.
const WRITTEN_EVERY_S: i64 = 600;

/// What the clock said last, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    /// The time of day, since 1970.
    at: i64,
    /// What had passed since the boot.
    passed: i64,
    /// Which boot.
    boot: String,
    /// Until when nothing goes by its age.
    held_until: Option<i64>,
}

impl Seen {
    /// What is to be kept of a look at the clock, after what was kept of the last one.
    fn judged(mut self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self };
        let passed = if self.boot == before.boot && !self.boot.is_empty() {
            (self.passed - before.passed).max(0)
        } else {
            OFF_S
        };
        // Longer than a window it never is: the clock may have been put back since.
        let still = before.held_until.filter(|until| *until > self.at);
        let jumped = self.at - before.at > passed + SLACK_S;
        self.held_until = match jumped {
            true => Some(self.at + WINDOW_S),
            false => still.map(|until| until.min(self.at + WINDOW_S)),
        };
        self
    }
}

/// Whether nothing may go by its age now.
pub(crate) async fn is_held(plane: &Plane) -> Result<bool, StoreError> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let kept = plane.store.setting_fetch(SETTING).await?;
    let before: Option<Seen> = kept.and_then(|kept| serde_json::from_value(kept).ok());
    let now = Seen {
        at: plane.clock.now().unix_timestamp(),
        passed: i64::try_from(plane.clock.passed().as_secs()).unwrap_or(i64::MAX),
        boot: boot.trim().to_owned(),
        held_until: None,
    }
    .judged(before.as_ref());
    let was_held = before.as_ref().and_then(|before| before.held_until);
    if now.held_until.is_some() && now.held_until > was_held {
        tracing::warn!(
            days = WINDOW_S / 86_400,
            "the clock is ahead of the time that has passed: nothing kept for a while goes for these \
             days; is it right?"
        );
    }
    let is_due = before
        .as_ref()
        .is_none_or(|before| now.at < before.at || now.at - before.at >= WRITTEN_EVERY_S);
    if is_due || now.held_until != was_held {
        let value = serde_json::to_value(&now).unwrap_or_default();
        let mut change = Change::begin(plane).await?;
        let at = change.now;
        change.txn.setting_put(SETTING, &value, at).await?;
        change.commit().await?;
    }
    Ok(now.held_until.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn seen(at: i64, passed: i64, boot: &str, held_until: Option<i64>) -> Seen {
        Seen { at, passed, boot: boot.to_owned(), held_until }
    }

    fn held(now: Seen, before: &Seen) -> Option<i64> {
        now.judged(Some(before)).held_until
    }

    #[test]
    fn time_that_passes_holds_nothing() {
        let before = seen(1_000, 50, "a", None);
        assert_eq!(held(seen(1_000 + 30 * DAY, 50 + 30 * DAY, "a", None), &before), None);
        assert_eq!(held(seen(1_060, 50, "a", None), &before), None, "within the slack");
        assert_eq!(held(seen(1_000 + 3 * DAY, 9, "b", None), &before), None, "off for a weekend");
        assert_eq!(held(seen(0, 60, "a", None), &before), None, "put back");
        assert_eq!(seen(9, 9, "a", None).judged(None).held_until, None, "the first look");
    }

    #[test]
    fn a_jump_ahead_holds_for_a_window_and_no_longer() {
        let before = seen(0, 0, "a", None);
        let jumped = seen(3_650 * DAY, 60, "a", None).judged(Some(&before));
        assert_eq!(jumped.held_until, Some(3_650 * DAY + WINDOW_S));
        // Put back: a window from then on.
        let back = seen(120, 120, "a", None).judged(Some(&jumped));
        assert_eq!(back.held_until, Some(120 + WINDOW_S));
        let later = seen(DAY, DAY, "a", None).judged(Some(&back));
        assert_eq!(later.held_until, back.held_until, "it is not begun anew");
        let after = seen(DAY + WINDOW_S, DAY + WINDOW_S, "a", None).judged(Some(&later));
        assert_eq!(after.held_until, None);
        // A machine that was off for a month, or whose clock is wrong: nobody can tell.
        assert!(held(seen(30 * DAY, 5, "b", None), &before).is_some());
    }
}
