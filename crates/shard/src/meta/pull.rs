//! Asks meta for every intent of this shard, again and again: a push that got lost is only
//! slower, and what was erased is forgotten.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::internal::IntentList;
use aipress_flow::Backoff;
use aipress_types::TenantUid;
use tokio_util::sync::CancellationToken;

use crate::meta::call::Meta;
use crate::plane::Plane;
use crate::tenants::Accepted;

/// Between two pulls when nothing is wrong.
const INTERVAL: Duration = Duration::from_secs(10);
/// After a failed one.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), max: Duration::from_secs(10) };

/// Pulls until `stop`.
pub(crate) async fn run(plane: Arc<Plane>, meta: Meta, stop: CancellationToken) {
    let mut failures = 0;
    loop {
        let wait = match pull(&plane, &meta).await {
            Ok(()) => {
                failures = 0;
                INTERVAL
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, "intents can't be pulled; going on with what is held");
                }
                failures += 1;
                BACKOFF.wait(failures)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = plane.pull_now.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn pull(plane: &Plane, meta: &Meta) -> anyhow::Result<()> {
    // Looked at before meta is asked: what comes meanwhile need not be in its answer.
    let held = plane.tenants.list();
    let list: IntentList = meta.get(&meta.own("intents")).await?;
    let listed: BTreeSet<TenantUid> = list.intents.iter().map(|intent| intent.uid).collect();
    for intent in list.intents {
        let uid = intent.uid;
        if plane.tenants.accept(intent)? == Accepted::New {
            plane.queue.add(uid);
        }
    }
    let mut unlisted = held;
    unlisted.retain(|tenant| !listed.contains(&tenant.entry.intent.uid));
    for tenant in &unlisted {
        // What meta no longer lists is erased and recorded as such; anything else is kept: a
        // registry that lost a row must not cost a site. The inventory tells of it.
        plane.tenants.forget(tenant.entry.intent.uid)?;
    }
    let unlisted = unlisted.iter().map(|tenant| tenant.entry.intent.uid).collect();
    plane.unlisted.store(Arc::new(unlisted));
    Ok(())
}
