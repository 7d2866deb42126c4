//! When each site was visited last: counted by the gateway in memory, written to one small file now
//! and then, read by the control plane when it looks what a site has.
//!
//! Bounded: one entry for each site of the table, one write in [`INTERVAL`] at most, none while
//! nobody comes.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_kit::durable;
use aipress_runtime::SiteTable;
use aipress_types::TenantUid;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

/// Between two writes, and so how late the file may be.
const INTERVAL: Duration = Duration::from_secs(15);

/// Seconds since 1970, by site.
type Times = BTreeMap<TenantUid, i64>;

/// Last visits.
#[derive(Debug)]
pub(super) struct Visits {
    file: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    times: Times,
    has_news: bool,
}

impl Visits {
    /// What the last gateway wrote, to go on from.
    pub(super) fn restore(file: PathBuf) -> Self {
        let seen = Seen { times: load(&file), has_news: false };
        Self { file, seen: Mutex::new(seen) }
    }

    /// Somebody came.
    pub(super) fn note(&self, uid: TenantUid, now: OffsetDateTime) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.unix_timestamp();
        seen.has_news |= seen.times.insert(uid, now) != Some(now);
    }

    /// Writes what is new of sites that are still there.
    fn write(&self, sites: &SiteTable) {
        let times = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if !seen.has_news {
                return;
            }
            seen.has_news = false;
            seen.times.retain(|uid, _| sites.by_uid(&uid.to_string()).is_some());
            seen.times.clone()
        };
        let written = serde_json::to_vec(&times)
            .map_err(std::io::Error::other)
            .and_then(|bytes| durable::write(&self.file, &bytes, 0o600));
        if let Err(error) = written {
            tracing::warn!(path = %self.file.display(), %error, "last visits can't be kept on disk");
        }
    }
}

/// Writes now and then until `stop`, and once more at the end.
pub(super) async fn run(visits: Arc<Visits>, sites: Arc<SiteTable>, stop: CancellationToken) {
    loop {
        let is_over = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        let (own, sites) = (Arc::clone(&visits), Arc::clone(&sites));
        if let Err(error) = tokio::task::spawn_blocking(move || own.write(&sites)).await {
            tracing::error!(%error, "writing last visits failed");
        }
        if is_over {
            return;
        }
    }
}

/// When a site was visited last, as the gateway wrote it down.
pub(crate) fn last(file: &Path, uid: TenantUid) -> Option<OffsetDateTime> {
    let at = load(file).get(&uid).copied()?;
    OffsetDateTime::from_unix_timestamp(at).ok()
}

/// A file that is not there, or not understood, tells of nobody: visitors come again.
fn load(file: &Path) -> Times {
    std::fs::read(file)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_runtime::RuntimeConfig;
    use aipress_runtime::Site;
    use time::macros::datetime;

    #[test]
    fn visits_outlive_the_gateway_and_end_with_their_site() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("visits.json");
        let table = SiteTable::new(&RuntimeConfig::default());
        let (bakery, gone) = (TenantUid(uuid::Uuid::new_v4()), TenantUid(uuid::Uuid::new_v4()));
        table.replace(vec![Site::new(&bakery.to_string(), "bakery", 1)]);
        let first = datetime!(2026-11-21 12:00 UTC);
        let visits = Visits::restore(file.clone());
        visits.write(&table);
        assert!(!file.exists(), "nobody came: nothing is written");
        visits.note(bakery, first);
        visits.note(gone, first);
        visits.write(&table);
        assert_eq!((last(&file, bakery), last(&file, gone)), (Some(first), None));
        let visits = Visits::restore(file.clone());
        visits.note(bakery, first);
        std::fs::remove_file(&file).unwrap();
        visits.write(&table);
        assert!(!file.exists(), "the same second is no news");
        visits.note(bakery, first + time::Duration::seconds(9));
        visits.write(&table);
        assert_eq!(last(&file, bakery), Some(first + time::Duration::seconds(9)));
        std::fs::write(&file, b"noise").unwrap();
        assert_eq!(last(&file, bakery), None);
    }
}
