//! Looks through the registry's file now and then: a damaged page may be one that nobody has read
//! for months, and a copy that is older than the damage is wanted while there is one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aipress_store::StoreError;

use crate::plane::Plane;

/// After the start: whoever waits for meta to come back needs the disk more.
const FIRST: Duration = Duration::from_secs(60);
/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(24 * 3_600);
/// Findings that the log gets.
const SHOWN: usize = 5;

/// Looks until the plane drains.
pub(crate) async fn run(plane: Arc<Plane>) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = plane.lifecycle.drain.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        look(&plane).await;
        wait = INTERVAL;
    }
}

/// One look.
pub(crate) async fn look(plane: &Plane) {
    let findings = match plane.store.integrity_check().await {
        Ok(findings) => findings,
        Err(error @ StoreError::Corrupt { .. }) => vec![error.to_string()],
        Err(error) => {
            tracing::warn!(%error, "the registry could not be looked through");
            return;
        }
    };
    plane.is_damaged.store(!findings.is_empty(), Ordering::Relaxed);
    if !findings.is_empty() {
        let shown = findings.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
        tracing::error!(
            findings = shown,
            "the registry is damaged: bring it back from a copy (see Backup in docs/RUNNING.md)"
        );
    }
}
