//! What a site's shard alone knows is asked of it each time; meta keeps none.

use std::time::Duration;

use aipress_api::paths;
use aipress_store::TenantRecord;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codes;
use crate::operations::shard_call;
use crate::operations::shard_call::ShardCallError;
use crate::plane::Plane;
use crate::problem::ApiError;

/// A small file, or a few from memory, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks the shard that `tenant` is on for `verb` of it; `what` is what is asked for, in words.
pub(crate) async fn ask<B: Serialize, A: DeserializeOwned>(
    plane: &Plane,
    tenant: &TenantRecord,
    method: Method,
    verb: &str,
    body: &B,
    what: &str,
) -> Result<A, ApiError> {
    let shard = match tenant.shard {
        Some(id) => plane.store.shard_fetch(id).await?,
        None => None,
    };
    let Some(shard) = shard else { return Err(gone(tenant, what)) };
    let path = format!("{}/{}/{verb}", paths::SHARD_TENANTS, tenant.uid);
    let asked = shard_call::ask(plane, &shard.address, method, &path, body, TIMEOUT).await;
    asked.map_err(|error| refused(tenant, what, &error))
}

fn gone(tenant: &TenantRecord, what: &str) -> ApiError {
    let detail = format!("`{}` is {}: its shard has no {what}", tenant.name, tenant.state);
    ApiError::new(&codes::INVALID_STATE, detail)
}

fn refused(tenant: &TenantRecord, what: &str, error: &ShardCallError) -> ApiError {
    tracing::warn!(tenant.uid = %tenant.uid, %error, what, "a shard was asked in vain");
    match error {
        ShardCallError::Refused { status: 404, .. } => gone(tenant, what),
        _ => ApiError::new(
            &codes::SHARD_UNAVAILABLE,
            format!("the {what} of `{}` can't be had now: try again in a moment", tenant.name),
        )
        .with_header(http::header::RETRY_AFTER, "2"),
    }
}
