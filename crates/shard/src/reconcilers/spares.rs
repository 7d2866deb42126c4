//! Keeps copies of the template database ready, so that a burst of new sites is made by renaming.
//! Only while no tenant waits: a spare is worth nothing to whoever waits for it.

use std::sync::Arc;
use std::time::Duration;

use aipress_drivers::Ensured;
use aipress_types::ShardHealth;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::plane::Plane;

/// Spares kept of the default core.
const SPARES: u32 = 4;
/// Between two looks when nothing is missing.
const INTERVAL: Duration = Duration::from_secs(2);
/// Between two spares when some are missing: leaves the server to those who wait.
const PAUSE: Duration = Duration::from_millis(50);

/// After the last work on a tenant: whoever has a new site asks for its first page now, and a
/// spare that is made beside it costs that page some 40 ms.
const REST: Duration = Duration::from_millis(300);

/// Keeps spares until `stop`.
pub(crate) async fn run(plane: Arc<Plane>, stop: CancellationToken) {
    let mut rested_at = Instant::now();
    loop {
        let healthy = plane.health.load().health == ShardHealth::Healthy;
        if !plane.queue.is_empty() {
            rested_at = Instant::now() + REST;
        }
        let wait = if healthy && Instant::now() >= rested_at { make(&plane).await } else { PAUSE };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn make(plane: &Plane) -> Duration {
    let core = match plane.cores.resolve(None).await {
        Ok(core) => core,
        Err(error) => {
            tracing::warn!(error, "no default core, no spare databases");
            return INTERVAL;
        }
    };
    let database = &plane.drivers.database;
    let made = async {
        database.ensure_template(&core.version, core.template.as_ref()).await?;
        database.ensure_spare(&core.version, SPARES).await
    };
    match made.await {
        Ok(Ensured::Kept) => INTERVAL,
        Ok(_) => PAUSE,
        Err(error) => {
            tracing::warn!(%error, "a spare database can't be made");
            INTERVAL
        }
    }
}
