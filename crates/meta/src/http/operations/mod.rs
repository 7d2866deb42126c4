//! `/v1/operations`: long-running changes.

pub(crate) mod events;
pub(crate) mod list;
pub(crate) mod show;

use aipress_store::OperationRecord;

use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// The operation `id`, if the caller may see it.
async fn find(plane: &Plane, caller: &Caller, id: &str) -> Result<OperationRecord, ApiError> {
    let found = match id.parse() {
        Ok(operation) => plane.store.operation_fetch(operation).await?,
        Err(_) => None,
    };
    let found = found.ok_or_else(|| ApiError::not_found("operation", id))?;
    authorize(caller, Action::OperationRead, Resource::Operation(&found))
        .map_err(|denied| denied.into_error("operation", id))?;
    Ok(found)
}
