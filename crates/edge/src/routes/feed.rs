//! Keeps the table up to date: asks meta what changed, for ever, with pauses while meta is down.

use std::sync::Arc;
use std::time::Duration;

use aipress_kit::clock::Clock;
use aipress_kit::lifecycle::Lifecycle;
use tokio::sync::Notify;

use super::meta::Meta;
use super::table::Table;
use crate::backoff::Backoff;
use crate::metrics::Metrics;

/// Pause after an answer without news that came at once: meta should have held it back, and must
/// not be asked in a busy loop.
const PAUSE: Duration = Duration::from_millis(50);

/// From this many changes on they are taken in where that holds no visitor up.
const LARGE: usize = 1_000;

/// What the feed works on.
pub(crate) struct Feed {
    pub(crate) meta: Arc<Meta>,
    pub(crate) table: Arc<Table>,
    /// Told when the table on disk is to be written.
    pub(crate) changed: Arc<Notify>,
    pub(crate) backoff: Backoff,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
}

impl Feed {
    /// Runs until the lifecycle drains.
    pub(crate) async fn run(self, lifecycle: Lifecycle) {
        let drain = lifecycle.drain;
        tokio::select! {
            () = self.follow() => {}
            () = drain.cancelled() => {}
        }
    }

    async fn follow(mut self) {
        let mut is_lost = false;
        loop {
            let asked = tokio::time::Instant::now();
            let after = self.table.seq();
            match self.meta.changes(after).await {
                Ok(changes) => {
                    if is_lost {
                        tracing::info!(seq = changes.seq, "meta is back");
                        is_lost = false;
                    }
                    self.backoff.after_success();
                    self.heard();
                    let is_news = changes.snapshot || after != Some(changes.seq);
                    if is_news {
                        self.take(changes).await;
                    } else if asked.elapsed() < PAUSE {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                Err(error) => {
                    self.metrics.0.feed_errors.one();
                    if !is_lost {
                        tracing::warn!(%error, routes = self.table.size(),
                            "meta does not say what changed; routing by what is known");
                        is_lost = true;
                    }
                    tokio::time::sleep(self.backoff.after_failure()).await;
                }
            }
        }
    }

    fn heard(&self) {
        let now = self.clock.now().unix_timestamp_nanos() / 1_000_000;
        self.metrics.0.table_heard_at.set(u64::try_from(now).unwrap_or(0));
    }

    async fn take(&self, changes: aipress_api::internal::RouteChanges) {
        tracing::debug!(
            seq = changes.seq,
            snapshot = changes.snapshot,
            routes = changes.routes.len(),
            "routes changed"
        );
        if changes.routes.len() < LARGE {
            self.table.apply(changes);
        } else {
            let table = Arc::clone(&self.table);
            if let Err(error) = tokio::task::spawn_blocking(move || table.apply(changes)).await {
                tracing::error!(%error, "take in many changed routes");
            }
        }
        self.metrics.0.routes.set(u64::try_from(self.table.size()).unwrap_or(u64::MAX));
        self.changed.notify_one();
    }
}
