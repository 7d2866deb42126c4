//! Keeps workers warm for sites that have a minimum: pools start workers on demand and end idle
//! ones, so a look at each more often than that keeps it.
//!
//! A look takes a worker's turn like a visitor's request: with it a site has never more workers
//! than it may, and what is busy needs no look.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_api::internal::SiteEntry;
use aipress_api::internal::SiteState;
use aipress_drivers::local::fpm::PING_PATH;
use aipress_runtime::SiteTable;
use aipress_runtime::fpm_ping_workers;
use tokio_util::sync::CancellationToken;

/// A little less than the 10 s after which a pool ends an idle worker. Idle workers take turns: were
/// it half of that, twice as many would stay.
const INTERVAL: Duration = Duration::from_secs(8);
/// A pool that takes longer has other worries than staying warm.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pools to keep warm.
#[derive(Default)]
pub(super) struct Warm {
    pools: Mutex<Vec<Pool>>,
}

#[derive(Clone, PartialEq, Eq)]
struct Pool {
    uid: String,
    socket: PathBuf,
    workers: usize,
}

impl Warm {
    /// Takes the pools of this table in place of those before.
    pub(super) fn replace(&self, entries: &[SiteEntry]) {
        let pools = entries
            .iter()
            .filter(|entry| entry.state == SiteState::Serving && entry.min_workers > 0)
            .map(|entry| Pool {
                uid: entry.uid.to_string(),
                socket: entry.fpm_socket.clone(),
                workers: usize::try_from(entry.min_workers).unwrap_or(1),
            })
            .collect();
        *self.pools.lock().unwrap_or_else(PoisonError::into_inner) = pools;
    }

    fn now(&self) -> Vec<Pool> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Looks at each pool until `stop`.
pub(super) async fn run(warm: Arc<Warm>, sites: Arc<SiteTable>, stop: CancellationToken) {
    loop {
        for pool in warm.now() {
            // The table may have changed meanwhile: a pool that lost its site stays cold.
            if !warm.now().contains(&pool) {
                continue;
            }
            let Some(site) = sites.by_uid(&pool.uid) else { continue };
            let turns = site.turns(pool.workers);
            let looked = fpm_ping_workers(&pool.socket, PING_PATH, turns.len(), PATIENCE).await;
            if let Err(error) = looked {
                tracing::debug!(socket = %pool.socket.display(), %error, "a pool stays cold");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
