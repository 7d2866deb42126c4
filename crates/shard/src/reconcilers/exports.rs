//! Removes spools of exports that are older than they are kept.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::plane::Plane;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(600);

/// Looks until `stop`.
pub(crate) async fn sweep(plane: Arc<Plane>, stop: CancellationToken) {
    loop {
        plane.exports.sweep();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
