//! Keeps a worker warm for sites whose tier has a minimum: pools start workers on demand and end
//! idle ones, so a look at the pool more often than that keeps one.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_api::internal::SiteEntry;
use aipress_api::internal::SiteState;
use aipress_drivers::local::fpm::PING_PATH;
use aipress_runtime::fpm_ping;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Half of the time after which a pool ends an idle worker.
const INTERVAL: Duration = Duration::from_secs(5);
/// A pool that takes longer has other worries than staying warm.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pools to keep warm and how many workers each.
#[derive(Default)]
pub(super) struct Warm {
    pools: Mutex<Vec<(PathBuf, u32)>>,
}

impl Warm {
    /// Takes the pools of this table in place of those before.
    pub(super) fn replace(&self, entries: &[SiteEntry]) {
        let pools = entries
            .iter()
            .filter(|entry| entry.state == SiteState::Serving && entry.min_workers > 0)
            .map(|entry| (entry.fpm_socket.clone(), entry.min_workers))
            .collect();
        *self.pools.lock().unwrap_or_else(PoisonError::into_inner) = pools;
    }

    fn now(&self) -> Vec<(PathBuf, u32)> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Looks at each pool until `stop`.
pub(super) async fn run(warm: Arc<Warm>, stop: CancellationToken) {
    loop {
        for (socket, workers) in warm.now() {
            // The table may have changed meanwhile: a pool that lost its site stays cold.
            if !warm.now().iter().any(|(wanted, _)| *wanted == socket) {
                continue;
            }
            // At the same time, so that they meet different workers.
            let pings = (0..workers).map(|_| fpm_ping(&socket, PING_PATH, PATIENCE));
            for result in futures_util::future::join_all(pings).await {
                if let Err(error) = result {
                    tracing::debug!(socket = %socket.display(), %error, "a pool stays cold");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
