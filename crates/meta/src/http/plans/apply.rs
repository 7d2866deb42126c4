//! `POST /v1/plans/{hash}/apply`.

use aipress_api::PlanApplied;
use axum::extract::Path;
use axum::response::Response;

use crate::app::plan;
use crate::http::call::Call;
use crate::http::json;

/// Apply a plan.
///
/// It is planned again first: when what it was made from has changed, or it is over, nothing is done
/// and the answer is 409 `plan_stale` or `plan_expired`, with the new plan in `plan`. The changes of
/// a plan of several documents are made one after the other; the first that is refused ends it, and
/// `complete` is false. With `dryRun=true` it is only planned again: the answer is the plan, if it
/// could be applied.
#[utoipa::path(
    post,
    path = "/v1/plans/{hash}/apply",
    tag = "plans",
    operation_id = "plan_apply",
    params(("hash" = String, Path, description = "Hash of the plan")),
    responses(
        (status = 200, description = "Done", body = PlanApplied),
        (status = 202, description = "Recorded and under way", body = PlanApplied),
    )
)]
pub(crate) async fn apply(Path(hash): Path<String>, mut call: Call) -> Response {
    let looks_only = call.take_dry_run();
    call.once(move |scope, body| async move {
        json::decode_nothing(&body)?;
        match looks_only {
            true => plan::apply::look(&scope, &hash).await,
            false => plan::apply::apply(&scope, &hash).await,
        }
    })
    .await
}
