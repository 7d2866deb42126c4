//! Forgets what is no longer needed: answers kept for replays, tombstones of routes, old events.

use std::sync::Arc;

use aipress_store::StoreError;
use time::Duration;

use crate::change::Change;
use crate::plane::Plane;

/// An edge that was away for longer takes a snapshot.
const TOMBSTONES_KEPT: Duration = Duration::days(7);
/// A reader of the outbox that was away for longer starts from what is.
const EVENTS_KEPT: Duration = Duration::days(90);
/// Rows of one transaction, so that none holds the write lock for long.
const BATCH: u32 = 1_000;

/// One run.
pub(crate) async fn reconcile(plane: Arc<Plane>) -> Result<(), StoreError> {
    let mut change = Change::begin(&plane).await?;
    let now = change.now;
    let keys = change.txn.idempotency_sweep(now, BATCH).await?;
    let routes = change.txn.routes_sweep(now - TOMBSTONES_KEPT).await?;
    let events = change.txn.events_sweep(now - EVENTS_KEPT, BATCH).await?;
    change.commit().await?;
    tracing::debug!(keys, routes, events, "swept");
    Ok(())
}
