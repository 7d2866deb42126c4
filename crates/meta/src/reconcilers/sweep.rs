//! Forgets what is no longer needed: answers kept for replays, tombstones of routes, old events,
//! plans that are over.

use std::sync::Arc;

use aipress_store::StoreError;
use time::Duration;

use crate::app::retention;
use crate::change::Change;
use crate::plane::Plane;

/// An edge that was away for longer takes a snapshot.
const TOMBSTONES_KEPT: Duration = Duration::days(7);
/// A reader of the outbox that was away for longer starts from what is.
const EVENTS_KEPT: Duration = Duration::days(30);
/// The log of deliveries to webhooks.
const DELIVERIES_KEPT: Duration = Duration::days(30);
/// Events kept at most, however young: some 500 MB.
const EVENTS_MAX: u64 = 1_000_000;
/// Transactions of one run. At 100 changes a second, 60,000 events come between two runs.
const ROUNDS: usize = 200;
/// Whoever applies a plan that is over for less gets told so and gets a new one.
const PLANS_KEPT: Duration = Duration::hours(24);
/// Rows of one transaction, so that none holds the write lock for long.
const BATCH: u32 = 1_000;

/// One run.
pub(crate) async fn reconcile(plane: Arc<Plane>) -> Result<(), StoreError> {
    let is_held = retention::is_held(&plane).await?;
    let mut change = Change::begin(&plane).await?;
    let now = change.now;
    let keys = change.txn.idempotency_sweep(now, BATCH).await?;
    if is_held {
        change.commit().await?;
        let events = events(&plane, None).await?;
        tracing::debug!(keys, events, "swept, by number alone");
        return Ok(());
    }
    let routes = change.txn.routes_sweep(now - TOMBSTONES_KEPT).await?;
    let plans = change.txn.plans_sweep(now - PLANS_KEPT, BATCH).await?;
    change.commit().await?;
    let mut change = Change::begin(&plane).await?;
    let deliveries = change.txn.deliveries_sweep(now - DELIVERIES_KEPT, BATCH).await?;
    change.commit().await?;
    let events = events(&plane, Some(EVENTS_KEPT)).await?;
    tracing::debug!(keys, routes, events, deliveries, plans, "swept");
    Ok(())
}

/// `kept` is how long; without it only their number counts.
async fn events(plane: &Plane, kept: Option<Duration>) -> Result<u64, StoreError> {
    let mut gone = 0;
    for _ in 0..ROUNDS {
        let mut change = Change::begin(plane).await?;
        let mut swept = change.txn.events_sweep_beyond(EVENTS_MAX, BATCH).await?;
        if let Some(kept) = kept {
            let before = change.now - kept;
            swept += change.txn.events_sweep(before, BATCH).await?;
        }
        change.commit().await?;
        gone += swept;
        if swept < u64::from(BATCH) {
            break;
        }
    }
    Ok(gone)
}
