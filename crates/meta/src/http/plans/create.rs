//! `POST /v1/plans`.

use aipress_api::PlanCreate;
use aipress_api::PlanView;
use axum::response::Response;

use crate::app::plan::create;
use crate::http::call::Call;
use crate::http::json;

/// Plan a change.
///
/// The change is checked as if it were made, and nothing is: the answer says what it would do, what
/// it may break and how it is undone. The same comes with `?dryRun=true` on the change itself. A
/// plan of documents plans each by itself: two new sites that both need the last free slot are
/// found out only when it is applied.
#[utoipa::path(
    post,
    path = "/v1/plans",
    tag = "plans",
    operation_id = "plan_create",
    request_body = PlanCreate,
    responses((status = 200, description = "The plan", body = PlanView))
)]
pub(crate) async fn create(mut call: Call) -> Response {
    // A plan changes nothing as it is.
    call.take_dry_run();
    call.once(|scope, body| async move { create::create(&scope, json::decode(&body)?).await }).await
}
