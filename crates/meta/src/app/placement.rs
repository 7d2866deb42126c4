//! Placement as a step of a change: the facts are read, the choice is made and the tenant is
//! written under one write lock, so that a slot is never given twice.

use aipress_types::ShardFacts;
use aipress_types::ShardId;
use aipress_types::TenantName;
use aipress_types::TenantSpec;
use aipress_types::placement::PlacementError;
use aipress_types::placement::PlacementRequest;
use aipress_types::placement::place;

use crate::app::shard::believed;
use crate::change::Change;
use crate::codes;
use crate::problem::ApiError;

/// The shard that takes a new tenant.
pub(crate) async fn choose(
    change: &mut Change<'_>,
    name: &TenantName,
    spec: &TenantSpec,
) -> Result<ShardId, ApiError> {
    let heard = change.plane.heard();
    let facts: Vec<ShardFacts> = change
        .txn
        .shard_facts()
        .await?
        .into_iter()
        .map(|standing| believed(standing, heard).facts)
        .collect();
    let request = PlacementRequest {
        tenant_id: name.as_str(),
        region: spec.region.as_deref(),
        residency: spec.residency.as_deref(),
        federation_size: change.plane.federation.shards,
    };
    place(&request, &facts).map_err(|error| match &error {
        PlacementError::Contradiction { .. } => {
            ApiError::field("/spec/residency", error.to_string())
        }
        PlacementError::NoSuchRegion(_) | PlacementError::NoRoom { .. } => {
            ApiError::new(&codes::NO_CAPACITY, error.to_string())
        }
    })
}

/// Whether `shard` can take back a tenant whose files and database it still has.
pub(crate) async fn room_on(change: &mut Change<'_>, shard: ShardId) -> Result<(), ApiError> {
    let standing =
        change.txn.shard_facts().await?.into_iter().find(|standing| standing.facts.id == shard);
    match standing {
        Some(standing) if standing.facts.taken < standing.facts.slots => Ok(()),
        Some(standing) => Err(ApiError::new(
            &codes::NO_CAPACITY,
            format!(
                "all {} slots of {shard}, which has its files and database, are taken: delete or \
                 erase another site there, then undelete it",
                standing.facts.slots
            ),
        )),
        None => Err(ApiError::new(
            &codes::NO_CAPACITY,
            format!("{shard}, which has its files and database, is not in the federation"),
        )),
    }
}
