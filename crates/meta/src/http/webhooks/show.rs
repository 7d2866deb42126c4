//! `GET /v1/webhooks/{id}`.

use std::sync::Arc;

use aipress_api::WebhookView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::webhook;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show a webhook, without its secret.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}",
    tag = "webhooks",
    operation_id = "webhook_show",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The webhook", body = WebhookView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = webhook::find(&plane, &caller, Action::WebhookRead, &id).await?;
    reply::ok(&webhook::view(&found))
}
