//! Removes archives that no row tells of: those of a meta that was killed between the two.

use std::sync::Arc;

use aipress_store::StoreError;

use crate::plane::Plane;

/// One run.
pub(crate) async fn reconcile(plane: Arc<Plane>) -> Result<(), StoreError> {
    let archives = match plane.mirror.archives().await {
        Ok(archives) => archives,
        Err(error) => {
            tracing::warn!(%error, "the mirror's folder can't be read");
            return Ok(());
        }
    };
    for sha256 in archives {
        // Looked at one by one, so that uploads need not wait for a whole run.
        let _turn = plane.mirror.turn.lock().await;
        if !plane.store.package_exists(&sha256).await? {
            plane.mirror.remove(&sha256).await;
        }
    }
    Ok(())
}
