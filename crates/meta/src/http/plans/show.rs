//! `GET /v1/plans/{hash}`.

use std::sync::Arc;

use aipress_api::PlanView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::plan;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show a plan.
///
/// One's own; it is kept for a day after it is over.
#[utoipa::path(
    get,
    path = "/v1/plans/{hash}",
    tag = "plans",
    operation_id = "plan_show",
    params(("hash" = String, Path, description = "Hash of the plan")),
    responses((status = 200, description = "The plan", body = PlanView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(hash): Path<String>,
) -> Result<Response, ApiError> {
    let found = plan::apply::find(&plane, &caller, Action::PlanRead, &hash).await?;
    reply::ok(&plan::view(&plane, &found)?)
}
