//! `DELETE /v1/webhooks/{id}`.

use aipress_api::WebhookView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::webhook;
use crate::http::call::Call;
use crate::http::json;

/// Remove a webhook, its deliveries with it.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{id}",
    tag = "webhooks",
    operation_id = "webhook_delete",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "As it was", body = WebhookView))
)]
pub(crate) async fn delete(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        webhook::delete(&scope, &id).await
    })
    .await
}
