//! `GET /v1/audit/checkpoints`.

use std::sync::Arc;

use aipress_api::AuditCheckpointsView;
use axum::extract::State;
use axum::response::Response;

use crate::app;
use crate::http::query::Params;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Show what the audit log's checkpoints are signed with.
///
/// The public key, and what is in the file of checkpoints. Whoever keeps the key and a copy of the file
/// elsewhere can prove later that rows are what they were.
#[utoipa::path(
    get,
    path = "/v1/audit/checkpoints",
    tag = "audit",
    operation_id = "audit_checkpoints",
    responses((status = 200, description = "Key and file", body = AuditCheckpointsView))
)]
pub(crate) async fn checkpoints(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::AuditVerify, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "audit"))?;
    params.only(&[])?;
    let seen = app::audit::checkpoints(&plane).await?;
    let key = plane.keeper.public();
    reply::ok(&AuditCheckpointsView {
        public_key: key.pem(),
        key: key.hex(),
        count: seen.count,
        last: seen.last,
        last_at: seen.at,
        faults: seen.faults,
    })
}
