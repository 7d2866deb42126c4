//! Wakes sites whose scheduled events are due. A loop that looks and starts runs, each of which is
//! a task of its own and one at a time for a site; and a slow one that reads databases.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::Severity;
use aipress_kit::tasks;
use aipress_types::TenantUid;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cron::schedule::Ended;
use crate::cron::schedule::Wake;
use crate::cron::wake::Waker;
use crate::plane::Plane;
use crate::sites;

/// Between two looks at the sites' marks: fifty `stat(2)`.
const INTERVAL: Duration = Duration::from_millis(500);
/// Between two looks for a site whose database is to be read.
const SCAN_INTERVAL: Duration = Duration::from_millis(250);
/// Looks between two writings of the counts.
const WRITE_LOOKS: u32 = 60;

/// Looks until `stop`, and writes the counts once more at the end.
pub(crate) async fn run(plane: Arc<Plane>, waker: Arc<dyn Waker>, stop: CancellationToken) {
    let mut looks = 0;
    loop {
        look(&plane, &waker, &stop).await;
        looks += 1;
        let is_over = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        if looks % WRITE_LOOKS == 0 || is_over {
            let own = Arc::clone(&plane);
            if let Err(error) = tokio::task::spawn_blocking(move || own.cron.write()).await {
                tracing::error!(%error, "writing counts of wakes failed");
            }
        }
        if is_over {
            return;
        }
    }
}

/// Reads one site's database after the other until `stop`.
pub(crate) async fn scan(plane: Arc<Plane>, stop: CancellationToken) {
    loop {
        if let Some(uid) = plane.cron.scan() {
            match plane.drivers.database.cron_due(uid).await {
                Ok(due) => plane.cron.found(uid, due),
                Err(error) => tracing::debug!(tenant_id = %uid, %error, "events are not read"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SCAN_INTERVAL) => {}
        }
    }
}

/// Looks once, and starts what is due.
pub(crate) async fn look(plane: &Arc<Plane>, waker: &Arc<dyn Waker>, stop: &CancellationToken) {
    let tenants = plane.tenants.list();
    let uid = |tenant: &crate::tenants::Tenant| tenant.entry.intent.uid;
    let served: BTreeSet<TenantUid> =
        tenants.iter().filter(|tenant| tenant.entry.is_served()).map(uid).collect();
    let known: BTreeSet<TenantUid> = tenants.iter().map(uid).collect();
    plane.cron.keep_only(&served, &known);
    listen(plane, served.into_iter().collect()).await;
    for wake in plane.cron.wake() {
        let (plane, waker, stop) = (Arc::clone(plane), Arc::clone(waker), stop.clone());
        tasks::spawn("shard-cron-run", async move { wake_one(&plane, &*waker, wake, &stop).await });
    }
}

/// Takes what the sites' marks say.
async fn listen(plane: &Plane, sites: Vec<TenantUid>) {
    match plane.drivers.files.cron_marks(&sites).await {
        Ok(marks) => {
            for uid in sites {
                plane.cron.tell(uid, marks.get(&uid).copied());
            }
        }
        Err(error) => tracing::debug!(%error, "marks of due events are not read"),
    }
}

async fn wake_one(plane: &Plane, waker: &dyn Waker, wake: Wake, stop: &CancellationToken) {
    let (uid, began, since) = (wake.uid, plane.clock.now(), Instant::now());
    let entry = plane.tenants.fetch(uid).filter(|tenant| tenant.entry.is_served());
    let entry = entry.and_then(|tenant| sites::entry(plane, &tenant));
    let ended = match entry {
        // A run that is under way goes on without whoever asked for it.
        Some(site) => tokio::select! {
            () = stop.cancelled() => return,
            ended = waker.wake(&site) => ended,
        },
        None => Ended::Unasked,
    };
    // What the run left behind, before it is judged.
    listen(plane, vec![uid]).await;
    let rests = plane.cron.ended(uid, began, since.elapsed(), &ended);
    if let (Ended::Failed(words), Some(rests)) = (&ended, rests) {
        let message = format!(
            "scheduled events: {words} after {:.1} s; they are tried again in {} s",
            since.elapsed().as_secs_f64(),
            rests.as_secs()
        );
        plane.tell(uid, Severity::Warning, message);
    }
}

#[cfg(test)]
mod tests;
