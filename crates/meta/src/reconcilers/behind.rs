//! Takes up again whatever a lost push, a lost signal or a restart left lying: tenants whose
//! shard does not have their intent yet, operations that are reached and not ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use aipress_store::StoreError;
use aipress_types::ShardHealth;
use aipress_types::ShardId;

use crate::app::shard::believed;
use crate::plane::Plane;

/// Rows of one run; the next run takes the rest.
const BATCH: u32 = 1_000;

/// One run.
pub(crate) async fn reconcile(plane: Arc<Plane>) -> Result<(), StoreError> {
    let silent: BTreeSet<ShardId> = plane
        .store
        .shard_facts()
        .await?
        .into_iter()
        .map(|standing| believed(standing, plane.heard()).facts)
        .filter(|facts| facts.health == ShardHealth::Unknown)
        .map(|facts| facts.id)
        .collect();
    for tenant in plane.store.tenants_behind(BATCH).await? {
        // A shard that is away asks by itself when it is back; its first report names what is
        // stale.
        if tenant.shard.is_some_and(|shard| !silent.contains(&shard)) {
            plane.pushes.add(tenant.uid);
        }
    }
    for operation in plane.store.operations_unfinished(BATCH).await? {
        plane.endings.add(operation.id);
    }
    Ok(())
}
