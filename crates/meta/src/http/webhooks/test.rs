//! `POST /v1/webhooks/{id}/test`.

use aipress_api::DeliveryView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::webhook;
use crate::http::call::Call;
use crate::http::json;

/// Send a test of kind `webhook.test` to a webhook.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/test",
    tag = "webhooks",
    operation_id = "webhook_test",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 202, description = "On its way", body = DeliveryView))
)]
pub(crate) async fn test(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        webhook::test(&scope, &id).await
    })
    .await
}
