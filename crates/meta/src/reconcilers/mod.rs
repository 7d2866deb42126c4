//! What meta does by itself: each reconciler compares what is with what should be, does a little,
//! and runs again. Adding one adds a file and a line to [`start`].

mod behind;
mod checkpoints;
mod erasure;
pub(crate) mod integrity;
mod mirror;
pub(crate) mod shard_health;
mod sweep;
mod transfers;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aipress_kit::tasks;
use aipress_store::StoreError;
use tokio::task::JoinHandle;

use crate::operations::finish;
use crate::operations::push;
use crate::plane::Plane;

/// Pushes to shards at once.
const PUSHERS: usize = 32;
/// Operations that wait for edges at once.
const FINISHERS: usize = 128;

/// Starts them all; they end when the plane drains.
pub(crate) fn start(plane: &Arc<Plane>, checkpoints: Duration) -> Vec<JoinHandle<Option<()>>> {
    let drain = plane.lifecycle.drain.clone();
    let pushing = Arc::clone(plane);
    let pushes = Arc::clone(&plane.pushes).run(PUSHERS, drain.clone(), move |uid| {
        let plane = Arc::clone(&pushing);
        async move { push::push(&plane, uid).await }
    });
    let finishing = Arc::clone(plane);
    let endings = Arc::clone(&plane.endings).run(FINISHERS, drain.clone(), move |id| {
        let plane = Arc::clone(&finishing);
        async move { finish::finish(&plane, id).await }
    });
    vec![
        tasks::spawn("pushes", pushes),
        tasks::spawn("endings", endings),
        tasks::spawn("feed", Arc::clone(&plane.feed).run(drain.clone())),
        tasks::spawn("webhooks", Arc::clone(&plane.webhooks).run(drain)),
        every(plane, "behind", Duration::from_secs(5), behind::reconcile),
        tasks::spawn("checkpoints", checkpoints::run(Arc::clone(plane), checkpoints)),
        every(plane, "erasure", Duration::from_secs(60), erasure::reconcile),
        tasks::spawn("integrity", integrity::run(Arc::clone(plane))),
        every(plane, "mirror", Duration::from_secs(3_600), mirror::reconcile),
        every(plane, "shard-health", Duration::from_secs(2), shard_health::reconcile),
        tasks::spawn("transfers", transfers::run(Arc::clone(plane))),
        every(plane, "sweep", Duration::from_secs(600), sweep::reconcile),
    ]
}

/// One run of what removes things by their age.
#[cfg(test)]
pub(crate) async fn erase_and_sweep(plane: &Arc<Plane>) {
    erasure::reconcile(Arc::clone(plane)).await.unwrap();
    sweep::reconcile(Arc::clone(plane)).await.unwrap();
}

/// Runs `work` now and then again and again. A run that fails is logged; the next one is the
/// retry.
fn every<F, Fut>(
    plane: &Arc<Plane>,
    name: &'static str,
    interval: Duration,
    work: F,
) -> JoinHandle<Option<()>>
where
    F: Fn(Arc<Plane>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let plane = Arc::clone(plane);
    tasks::spawn(name, async move {
        loop {
            if let Err(error) = work(Arc::clone(&plane)).await {
                tracing::warn!(reconciler = name, %error, "run failed; trying again later");
            }
            tokio::select! {
                () = plane.lifecycle.drain.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
        }
    })
}
