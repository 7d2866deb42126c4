//! `PATCH /v1/webhooks/{id}`.

use aipress_api::WebhookPatch;
use aipress_api::WebhookView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::webhook;
use crate::http::call::Call;
use crate::http::json;

/// Change a webhook; what is left out stays.
///
/// `"state": "active"` takes a paused one up again, from where it stopped.
#[utoipa::path(
    patch,
    path = "/v1/webhooks/{id}",
    tag = "webhooks",
    operation_id = "webhook_update",
    params(("id" = String, Path, description = "Its id")),
    request_body = WebhookPatch,
    responses((status = 200, description = "The webhook", body = WebhookView))
)]
pub(crate) async fn update(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move { webhook::update(&scope, &id, json::decode(&body)?).await })
        .await
}
