//! `POST /v1/webhooks/{id}/rotate-secret`.

use aipress_api::WebhookRotate;
use aipress_api::WebhookSecretView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::webhook;
use crate::http::call::Call;
use crate::http::json;

/// Give a webhook a new secret.
///
/// The one before signs, too, for the overlap: deliveries carry two signatures meanwhile, so that
/// the receiver can change over without losing any.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/rotate-secret",
    tag = "webhooks",
    operation_id = "webhook_rotate_secret",
    params(("id" = String, Path, description = "Its id")),
    request_body(content = Option<WebhookRotate>),
    responses((status = 200, description = "With the new secret", body = WebhookSecretView))
)]
pub(crate) async fn rotate_secret(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        webhook::rotate_secret(&scope, &id, &json::decode(&body)?).await
    })
    .await
}
