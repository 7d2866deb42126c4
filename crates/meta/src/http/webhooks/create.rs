//! `POST /v1/webhooks`.

use aipress_api::WebhookCreate;
use aipress_api::WebhookSecretView;
use axum::response::Response;

use crate::app::webhook;
use crate::http::call::Call;
use crate::http::json;

/// Make a webhook.
///
/// It belongs to the caller's account, and is told of what happens from now on. The secret in the
/// answer is shown this once. An account has 20 webhooks at most.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    tag = "webhooks",
    operation_id = "webhook_create",
    request_body = WebhookCreate,
    responses((status = 201, description = "Made; with its secret", body = WebhookSecretView))
)]
pub(crate) async fn create(call: Call) -> Response {
    call.once(|scope, body| async move { webhook::create(&scope, json::decode(&body)?).await })
        .await
}
