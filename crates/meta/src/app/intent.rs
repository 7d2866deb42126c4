//! What a shard is told of a tenant: complete, with its secrets opened for this one call.

use aipress_store::StoreError;
use aipress_store::TenantRecord;
use aipress_types::IntentContent;
use aipress_types::ObservedPhase;
use aipress_types::OperationId;
use aipress_types::ShardId;
use aipress_types::TenantIntent;

use crate::app::secrets;
use crate::app::secrets::SecretsError;
use crate::plane::Plane;

/// Why an intent could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntentError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("secrets of tenant {uid}")]
    Secrets { uid: aipress_types::TenantUid, source: SecretsError },
}

/// The intent of a tenant that is not erased.
pub(crate) async fn of(plane: &Plane, tenant: &TenantRecord) -> Result<TenantIntent, IntentError> {
    let secrets = secrets::open(&plane.sealer, tenant.uid, &tenant.sealed_secrets)
        .map_err(|source| IntentError::Secrets { uid: tenant.uid, source })?;
    let name = tenant.name.as_str();
    Ok(TenantIntent {
        uid: tenant.uid,
        name: tenant.name.clone(),
        generation: tenant.generation,
        placement_epoch: tenant.placement_epoch,
        desired: tenant.desired,
        spec: tenant.spec.clone(),
        home: plane.sites.home(name),
        hosts: vec![plane.sites.authority(name)],
        secrets,
        operation: waiting_operation(plane, tenant).await?,
        content: content(plane, tenant).await?,
        absent: plane.store.package_removals(tenant.uid).await?,
    })
}

/// Every intent of a shard. One that cannot be made (damaged secrets) is an error of all: a shard
/// must not take a hole in the list for an erasure.
pub(crate) async fn of_shard(
    plane: &Plane,
    shard: ShardId,
) -> Result<Vec<TenantIntent>, IntentError> {
    let mut intents = Vec::new();
    for tenant in plane.store.tenants_of_shard(shard).await? {
        if tenant.state != aipress_types::TenantState::Erased {
            intents.push(of(plane, &tenant).await?);
        }
    }
    Ok(intents)
}

/// What a site that is being made is made of.
async fn content(
    plane: &Plane,
    tenant: &TenantRecord,
) -> Result<Option<IntentContent>, StoreError> {
    let import = plane.store.import_building_of(tenant.uid).await?;
    Ok(import.map(|import| IntentContent {
        import: import.id,
        wordpress_version: import.wordpress_version,
    }))
}

async fn waiting_operation(
    plane: &Plane,
    tenant: &TenantRecord,
) -> Result<Option<OperationId>, StoreError> {
    // A converged tenant, the ordinary case in a list of 50, needs no second query.
    let converged = tenant.observed.as_ref().is_some_and(|observed| {
        observed.generation == tenant.generation && observed.phase == ObservedPhase::Converged
    });
    if converged {
        return Ok(None);
    }
    let unfinished = plane.store.operations_unfinished_of(tenant.uid).await?;
    Ok(unfinished.iter().find(|op| op.generation == tenant.generation).map(|op| op.id))
}
