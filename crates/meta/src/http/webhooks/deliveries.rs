//! `GET /v1/webhooks/{id}/deliveries`.

use std::sync::Arc;

use aipress_api::DeliveryView;
use aipress_api::Page;
use aipress_store::DeliveryFilter;
use aipress_store::DeliveryState;
use aipress_store::PageRequest;
use aipress_store::TimeCursor;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::webhook;
use crate::http::cursor;
use crate::http::query::Params;
use crate::http::query::invalid;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// List deliveries of a webhook, newest first; they are kept for 30 days.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries",
    tag = "webhooks",
    operation_id = "webhook_delivery_list",
    params(
        ("id" = String, Path, description = "Id of the webhook"),
        ("state" = Option<String>, Query, description = "Only pending, delivered or failed ones"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>))
)]
pub(crate) async fn deliveries(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let found = webhook::find(&plane, &caller, Action::WebhookRead, &id).await?;
    params.only(&["state", "limit", "cursor"])?;
    let state = match params.one("state")? {
        None => None,
        Some("pending") => Some(DeliveryState::Pending),
        Some("delivered") => Some(DeliveryState::Delivered),
        Some("failed") => Some(DeliveryState::Failed),
        Some(_) => return Err(invalid("`state` is pending, delivered or failed")),
    };
    let binding = params.binding(&format!("webhooks/{}/deliveries", found.id));
    let page = PageRequest {
        limit: params.limit()?,
        after: cursor::decode::<TimeCursor>(&params, binding)?,
    };
    let filter = DeliveryFilter { webhook: found.id, state };
    let found = plane.store.delivery_list(&filter, &page).await?;
    let items = found.items.iter().map(webhook::delivery_view).collect();
    reply::page(items, found.next.and_then(|next| cursor::encode(binding, &next)))
}
