//! `GET /v1/tenants/{id}/inventory` and `POST /v1/tenants/{id}/inventory/refresh`.

use std::sync::Arc;

use aipress_api::inventory::InventoryView;
use aipress_api::paths;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use crate::app;
use crate::app::plan::planner::Request;
use crate::http::call;
use crate::http::dry_run;
use crate::http::json;
use crate::http::query::Params;
use crate::http::reply;
use crate::http::told::Told;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Show what a site has.
///
/// WordPress, PHP, plugins and themes with versions and pending updates, users, sizes: as last
/// seen, at `observedAt`. It is looked at when something changes and once a day.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/inventory",
    tag = "tenants",
    operation_id = "tenant_inventory",
    params(("id" = String, Path, description = "Name or uid")),
    responses((status = 200, description = "What it has", body = InventoryView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    reply::ok(&app::inventory::fetch(&plane, &caller, &id).await?)
}

/// Look now what a site has.
///
/// Answers with what is found, within some seconds. What could not be asked is named in `problems`.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/inventory/refresh",
    tag = "tenants",
    operation_id = "tenant_inventory_refresh",
    params(("id" = String, Path, description = "Name or uid")),
    responses((status = 200, description = "What it has", body = InventoryView))
)]
pub(crate) async fn refresh(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
    told: Told,
    params: Params,
    body: Body,
) -> Result<Response, ApiError> {
    params.only(&["dryRun"])?;
    let is_dry_run = dry_run::is_all_asked(&params)?;
    json::decode_nothing(&call::read(body).await?)?;
    if is_dry_run {
        let noted = app::inventory::foresee(&plane, &caller, &id).await?;
        let path = format!("{}/{id}/inventory/refresh", paths::TENANTS);
        let request = Request { method: "POST".to_owned(), path, body: Value::Null };
        return dry_run::answer(&plane, &caller, request, &noted).await;
    }
    let origin = told.by(&caller);
    reply::ok(&app::inventory::refresh(&plane, &caller, &origin, &id).await?)
}
