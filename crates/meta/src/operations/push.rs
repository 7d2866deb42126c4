//! Hands a tenant's current intent to its shard, outside of the request that changed it. A lost
//! push is only slower: it is repeated, and the shard asks by itself.

use std::time::Duration;

use aipress_api::paths;
use aipress_flow::Outcome;
use aipress_kit::faults;
use aipress_store::StoreError;
use aipress_store::TenantRef;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use http::Method;

use crate::app::intent;
use crate::app::intent::IntentError;
use crate::metrics::WordLabels;
use crate::operations::shard_call;
use crate::operations::shard_call::ShardCallError;
use crate::plane::Plane;

/// Longest wait for a shard, which only writes the intent down.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error(transparent)]
    Intent(#[from] IntentError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Call(#[from] ShardCallError),
}

/// Pushes the intent of `uid` as it is now.
pub(crate) async fn push(plane: &Plane, uid: TenantUid) -> Outcome {
    let result = try_push(plane, uid).await;
    let state = match &result {
        Ok(()) => "delivered",
        Err(_) => "failed",
    };
    plane.metrics.pushes.get_or_create(&WordLabels { state: state.to_owned() }).inc();
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => {
            tracing::warn!(tenant.uid = %uid, %error, "intent can't be pushed; trying again");
            Outcome::Retry
        }
    }
}

async fn try_push(plane: &Plane, uid: TenantUid) -> Result<(), PushError> {
    let Some(tenant) = plane.store.tenant_fetch(&TenantRef::Uid(uid)).await? else {
        return Ok(());
    };
    let (Some(shard), false) = (tenant.shard, tenant.state == TenantState::Erased) else {
        return Ok(());
    };
    let Some(shard) = plane.store.shard_fetch(shard).await? else { return Ok(()) };
    let intent = intent::of(plane, &tenant).await?;
    let path = format!("{}/{uid}", paths::SHARD_INTENTS);
    faults::point("meta.push.before");
    shard_call::send(plane, &shard.address, Method::PUT, &path, &intent, TIMEOUT).await?;
    faults::point("meta.push.after");
    Ok(())
}
