//! `POST /v1/webhooks/{id}/deliveries/{delivery}/replay`.

use aipress_api::DeliveryView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::webhook;
use crate::http::call::Call;
use crate::http::json;

/// Send a delivery again.
///
/// It keeps its id, so that a receiver that has it already can tell, and begins its attempts anew.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/deliveries/{delivery}/replay",
    tag = "webhooks",
    operation_id = "webhook_delivery_replay",
    params(
        ("id" = String, Path, description = "Id of the webhook"),
        ("delivery" = String, Path, description = "Id of the delivery"),
    ),
    responses((status = 202, description = "On its way", body = DeliveryView))
)]
pub(crate) async fn replay(Path((id, delivery)): Path<(String, String)>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        webhook::replay(&scope, &id, &delivery).await
    })
    .await
}
