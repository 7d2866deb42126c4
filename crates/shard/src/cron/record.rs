//! How often each site was woken, by day, and its last run: one small file.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

use super::schedule::Ended;

/// Days that are kept.
const DAYS: usize = 8;
/// Most that is kept of what went wrong, in characters.
const PROBLEM_CHARS: usize = 300;

/// All sites.
#[derive(Debug, Default)]
pub(super) struct Record {
    sites: BTreeMap<TenantUid, Kept>,
    has_news: bool,
}

/// One site.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// Wakes by day (`2026-11-21`, UTC).
    pub(super) days: BTreeMap<String, u32>,
    pub(super) last: Option<Last>,
}

/// The last run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Last {
    /// When it began, in seconds since 1970.
    pub(super) at: i64,
    pub(super) duration_ms: u64,
    pub(super) problem: Option<String>,
}

impl Record {
    /// A file that is not there, or not understood, tells of nobody.
    pub(super) fn load(file: &Path) -> Self {
        let bytes = std::fs::read(file).unwrap_or_default();
        Self { sites: serde_json::from_slice(&bytes).unwrap_or_default(), has_news: false }
    }

    pub(super) fn keep_only(&mut self, known: &BTreeSet<TenantUid>) {
        let before = self.sites.len();
        self.sites.retain(|uid, _| known.contains(uid));
        self.has_news |= self.sites.len() != before;
    }

    pub(super) fn woken(&mut self, uid: TenantUid, now: OffsetDateTime) {
        let days = &mut self.sites.entry(uid).or_default().days;
        *days.entry(now.date().to_string()).or_default() += 1;
        while days.len() > DAYS {
            days.pop_first();
        }
        self.has_news = true;
    }

    pub(super) fn ran(
        &mut self,
        uid: TenantUid,
        began: OffsetDateTime,
        took: Duration,
        ended: &Ended,
    ) {
        let problem = match ended {
            Ended::Failed(words) => Some(words.chars().take(PROBLEM_CHARS).collect()),
            Ended::Done | Ended::Unasked => None,
        };
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let last = Last { at: began.unix_timestamp(), duration_ms, problem };
        self.sites.entry(uid).or_default().last = Some(last);
        self.has_news = true;
    }

    pub(super) fn of(&self, uid: TenantUid) -> Kept {
        self.sites.get(&uid).cloned().unwrap_or_default()
    }

    /// All of it when something is new since it was asked last.
    pub(super) fn news(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.has_news) {
            return None;
        }
        serde_json::to_vec(&self.sites).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn counts_outlive_the_process_and_end_with_their_site() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cron.json");
        let (bakery, gone) = (TenantUid(uuid::Uuid::new_v4()), TenantUid(uuid::Uuid::new_v4()));
        let mut record = Record::load(&file);
        assert!(record.news().is_none(), "nothing happened: nothing is written");
        let first = datetime!(2026-11-21 23:59:59 UTC);
        for day in 0..20 {
            record.woken(bakery, first + time::Duration::days(day));
        }
        record.woken(bakery, first + time::Duration::days(19));
        record.woken(gone, first);
        record.keep_only(&BTreeSet::from([bakery]));
        let failed = Ended::Failed("x".repeat(1000));
        record.ran(bakery, first, Duration::from_millis(1500), &failed);
        std::fs::write(&file, record.news().unwrap()).unwrap();
        assert!(record.news().is_none());
        let kept = Record::load(&file).of(bakery);
        assert_eq!(kept.days.len(), DAYS);
        assert_eq!(kept.days.last_key_value(), Some((&"2026-12-10".to_owned(), &2)));
        assert_eq!(kept.last.unwrap().problem.unwrap().len(), PROBLEM_CHARS);
        assert!(Record::load(&file).of(gone).days.is_empty());
    }
}
