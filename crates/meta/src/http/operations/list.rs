//! `GET /v1/operations`.

use std::sync::Arc;

use aipress_api::OperationView;
use aipress_api::Page;
use aipress_store::OperationFilter;
use aipress_store::PageRequest;
use aipress_store::TimeCursor;
use axum::extract::State;
use axum::response::Response;

use crate::app::operation;
use crate::app::tenant;
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

const KNOWN: &[&str] = &["tenant", "state", "kind", "limit", "cursor"];

/// List operations, newest first.
#[utoipa::path(
    get,
    path = "/v1/operations",
    tag = "operations",
    operation_id = "operation_list",
    params(
        ("tenant" = Option<String>, Query, description = "Only of this site (name or uid)"),
        ("state" = Option<String>, Query, description = "Only these states, with commas"),
        ("kind" = Option<String>, Query, description = "Only this kind, such as tenant.create"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "A page of operations", body = Page<OperationView>))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::OperationList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "operations"))?;
    params.only(KNOWN)?;
    let binding = params.binding("operations");
    let page = PageRequest {
        limit: params.limit()?,
        after: cursor::decode::<TimeCursor>(&params, binding)?,
    };
    let tenant = match params.one("tenant")? {
        Some(id) => Some(tenant::find(&plane, &caller, Action::TenantRead, id).await?.uid),
        None => None,
    };
    let filter = OperationFilter {
        accounts: visible_accounts(&caller),
        tenant,
        states: params.all("state", |text| {
            operation::registry_state(text).ok_or_else(|| format!("`{text}` is no state"))
        })?,
        kind: params.one("kind")?.map(str::to_owned),
    };
    let found = plane.store.operation_list(&filter, &page).await?;
    let items = found.items.iter().map(operation::view).collect();
    reply::page(items, found.next.and_then(|next| cursor::encode(binding, &next)))
}
