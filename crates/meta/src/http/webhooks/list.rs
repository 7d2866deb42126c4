//! `GET /v1/webhooks`.

use std::sync::Arc;

use aipress_api::Page;
use aipress_api::WebhookView;
use aipress_store::PageRequest;
use aipress_store::TimeCursor;
use axum::extract::State;
use axum::response::Response;

use crate::app::webhook;
use crate::http::cursor;
use crate::http::query::Params;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::policy::visible_accounts;
use crate::problem::ApiError;

/// List webhooks, newest first.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    tag = "webhooks",
    operation_id = "webhook_list",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "A page of webhooks", body = Page<WebhookView>))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::WebhookList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "webhooks"))?;
    params.only(&["limit", "cursor"])?;
    let binding = params.binding("webhooks");
    let page = PageRequest {
        limit: params.limit()?,
        after: cursor::decode::<TimeCursor>(&params, binding)?,
    };
    let accounts = visible_accounts(&caller);
    let found = plane.store.webhook_list(accounts.as_deref(), &page).await?;
    let items = found.items.iter().map(webhook::view).collect();
    reply::page(items, found.next.and_then(|next| cursor::encode(binding, &next)))
}
