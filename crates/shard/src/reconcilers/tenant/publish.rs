//! Tells the gateway that its table changed, and waits until it has taken it.

use std::time::Duration;

use crate::plane::Plane;
use crate::steps::StepError;

/// How long the gateway may take to learn of a change before the step goes on: it asks all the
/// time, so only one that is down takes longer, and it reads the table when it is back.
const GATEWAY_PATIENCE: Duration = Duration::from_millis(500);

/// Publishes the table as it is now, and says whether the gateway has taken it.
pub(super) async fn run(plane: &Plane) -> Result<bool, StepError> {
    plane.sites_changed();
    let wanted = *plane.sites_seq.borrow();
    let mut taken = plane.sites_taken.subscribe();
    let learned = taken.wait_for(|seq| *seq >= wanted);
    let told = tokio::time::timeout(GATEWAY_PATIENCE, learned).await.is_ok();
    if !told {
        tracing::warn!("the gateway has not asked for its table; it will when it is back");
    }
    Ok(told)
}
