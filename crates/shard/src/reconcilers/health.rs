//! Looks at the shard's servers all the time; when one comes back, looks at every tenant.

use std::sync::Arc;
use std::time::Duration;

use aipress_drivers::Slot;
use aipress_types::ShardHealth;
use tokio_util::sync::CancellationToken;

use crate::journal::Master;
use crate::plane::Health;
use crate::plane::Plane;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Every tenant is looked at this often even when nothing seems to have happened.
const RESYNC_LOOKS: u32 = 300;
/// The servers' own logs are looked at this often: a minute of slow queries is some MB at most.
const TRIM_LOOKS: u32 = 60;

/// Looks until `stop`.
pub(crate) async fn run(plane: Arc<Plane>, stop: CancellationToken) {
    let mut looks = 0;
    loop {
        let before = plane.health.load_full();
        let mut seen = look(&plane).await;
        if is_worse(seen.health, before.health) && !stop.is_cancelled() {
            // A busy machine misses one look; a server that is away misses two.
            tokio::time::sleep(INTERVAL).await;
            seen = look(&plane).await;
        }
        plane.health.store(Arc::new(seen.clone()));
        if *before != seen {
            tracing::info!(
                before = before.health.as_str(),
                now = seen.health.as_str(),
                message = seen.message,
                "health changed"
            );
            plane.tenants.observed.notify_one();
        }
        looks += 1;
        if looks % TRIM_LOOKS == 0
            && let Err(error) = plane.drivers.database.trim_logs().await
        {
            tracing::warn!(%error, "the database server's logs grow");
        }
        let came_back =
            seen.health == ShardHealth::Healthy && before.health != ShardHealth::Healthy;
        if came_back || looks % RESYNC_LOOKS == 0 {
            for tenant in plane.tenants.list() {
                plane.queue.add(tenant.entry.intent.uid);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// Whether servers that answered a moment ago are said not to.
fn is_worse(now: ShardHealth, before: ShardHealth) -> bool {
    match before {
        ShardHealth::Healthy => now != ShardHealth::Healthy,
        ShardHealth::Degraded => now == ShardHealth::Unhealthy,
        ShardHealth::Unhealthy | ShardHealth::Unknown => false,
    }
}

/// One look. The shard's health is that of the servers which its sites share; the trouble of one
/// site's own php-fpm is in the message, and keeps no other site from being made.
pub(crate) async fn look(plane: &Plane) -> Health {
    let drivers = &plane.drivers;
    let (database, cache, php) =
        tokio::join!(drivers.database.health(), drivers.cache.health(), drivers.php.health());
    let (mut health, mut complaints) = (ShardHealth::Healthy, Vec::new());
    if let Err(error) = cache {
        health = ShardHealth::Degraded;
        complaints.push(error.to_string());
    }
    for error in [database.err(), php.err()].into_iter().flatten() {
        health = ShardHealth::Unhealthy;
        complaints.push(error.to_string());
    }
    complaints.extend(own_masters(plane).await);
    Health { health, message: (!complaints.is_empty()).then(|| complaints.join("; ")) }
}

/// Looks at the php-fpm masters that sites have of their own. One that is away is asked for again:
/// the supervisor brings back what dies, but not what somebody stopped.
async fn own_masters(plane: &Plane) -> Vec<String> {
    let mut complaints = Vec::new();
    for tenant in plane.tenants.list() {
        let entry = &tenant.entry;
        let slot = entry.slot.and_then(Slot::new).filter(|_| entry.master == Master::Own);
        if let Some(slot) = slot
            && let Err(error) = plane.drivers.php.master_health(slot).await
        {
            complaints.push(format!("tenant {}: {error}", entry.intent.name));
            plane.queue.add(entry.intent.uid);
        }
    }
    complaints
}
