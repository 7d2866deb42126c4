//! How much a site has sent: recipients by the minute within a day, which its limits are about, and
//! messages since the site was made. Kept beside its mail, so that neither a restart nor mail that
//! was removed forgets any; gone with the erased site.

use std::collections::BTreeMap;

use aipress_api::mail::MailTotalsView;
use serde::Deserialize;
use serde::Serialize;

use super::DAY_S;
use super::HOUR_S;

/// The grain of what is counted within a day, in seconds.
const MINUTE_S: i64 = 60;

/// One site's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Counts {
    /// Recipients by minute since 1970.
    minutes: BTreeMap<i64, u32>,
    pub(crate) totals: MailTotalsView,
    /// Whether the disk does not have it yet.
    #[serde(skip)]
    pub(crate) is_new: bool,
}

impl Counts {
    /// Recipients of a message that is taken.
    pub(crate) fn add(&mut self, at: i64, recipients: u32) {
        let minute = self.minutes.entry(at.div_euclid(MINUTE_S)).or_default();
        *minute = minute.saturating_add(recipients);
        self.is_new = true;
    }

    /// Takes back what [`Self::add`] did, for a message that could not be kept.
    pub(crate) fn sub(&mut self, at: i64, recipients: u32) {
        if let Some(minute) = self.minutes.get_mut(&at.div_euclid(MINUTE_S)) {
            *minute = minute.saturating_sub(recipients);
        }
        self.is_new = true;
    }

    /// Counts messages.
    pub(crate) fn total(&mut self, change: impl FnOnce(&mut MailTotalsView)) {
        change(&mut self.totals);
        self.is_new = true;
    }

    /// Recipients within the last hour, and the last day.
    pub(crate) fn used(&mut self, now: i64) -> (u32, u32) {
        // A clock that went back must not lock anybody out.
        let counts = now - DAY_S..=now + HOUR_S;
        self.minutes.retain(|minute, _| counts.contains(&(minute * MINUTE_S)));
        let within = |span: i64| {
            let recent = self.minutes.iter().filter(|(minute, _)| *minute * MINUTE_S > now - span);
            recent.fold(0_u32, |sum, (_, count)| sum.saturating_add(*count))
        };
        (within(HOUR_S), within(DAY_S))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_read_again_and_ends_with_its_day() {
        let mut counts = Counts::default();
        let noon = 1_795_262_400;
        counts.add(noon, 3);
        counts.add(noon + 30, 2);
        counts.add(noon + 1800, 4);
        counts.sub(noon + 1800, 1);
        counts.total(|totals| totals.refused += 1);
        let text = serde_json::to_vec(&counts).unwrap();
        let mut read: Counts = serde_json::from_slice(&text).unwrap();
        assert!(counts.is_new && !read.is_new);
        assert_eq!(read.used(noon + 1801), (8, 8));
        assert_eq!(read.used(noon + HOUR_S), (3, 8));
        // Back by a day: what is counted ahead of now is not counted.
        assert_eq!(read.clone().used(noon - DAY_S), (0, 0));
        assert_eq!(read.used(noon + DAY_S + 1860), (0, 0));
        assert_eq!((read.minutes.len(), read.totals.refused), (0, 1));
        assert_eq!(serde_json::from_slice::<Counts>(b"{}").unwrap(), Counts::default());
    }
}
