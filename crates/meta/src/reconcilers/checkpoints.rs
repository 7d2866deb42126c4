//! Signs for what was written to the audit log, each minute and once more at the end.

use std::sync::Arc;
use std::time::Duration;

use crate::plane::Plane;

/// Signs until the plane drains.
pub(crate) async fn run(plane: Arc<Plane>, interval: Duration) {
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            () = plane.lifecycle.drain.cancelled() => is_last = true,
            () = tokio::time::sleep(interval) => {}
        }
        if let Err(error) = plane.keeper.write(&plane.store, &plane.clock).await {
            tracing::error!(%error, "no checkpoint of the audit log was written; trying again");
        }
    }
}
