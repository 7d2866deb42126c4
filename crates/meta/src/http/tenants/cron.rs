//! `GET /v1/tenants/{id}/cron`.

use std::sync::Arc;

use aipress_api::cron::CronView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::Method;

use crate::app::ask_shard;
use crate::app::tenant;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show when a site's scheduled events are due.
///
/// The platform wakes a site when an event is due, and only then: when that is next, how the last
/// run went, and how often the site was woken on each of the last days.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/cron",
    tag = "tenants",
    operation_id = "tenant_cron",
    params(("id" = String, Path, description = "Name or uid")),
    responses((status = 200, description = "When, and what came of it", body = CronView))
)]
pub(crate) async fn cron(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = tenant::find(&plane, &caller, Action::TenantCron, &id).await?;
    let what = "record of scheduled events";
    let view: CronView = ask_shard::ask(&plane, &found, Method::GET, "cron", &(), what).await?;
    reply::ok(&view)
}
