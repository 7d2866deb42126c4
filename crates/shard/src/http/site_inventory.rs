//! `POST /v1/tenants/{uid}/inventory`: looks now what a site has.

use std::sync::Arc;

use aipress_types::TenantUid;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::problem::refuse;
use crate::plane::Plane;
use crate::site_inventory;

/// 200 with what was found; 404 and 409 when the site is not here or not served.
pub(super) async fn refresh(State(plane): State<Arc<Plane>>, Path(uid): Path<String>) -> Response {
    let Some(uid) = uid.parse::<TenantUid>().ok().filter(|uid| plane.tenants.fetch(*uid).is_some())
    else {
        return refuse(404, "not_found", "no such tenant on this shard");
    };
    match site_inventory::take(&plane, uid).await {
        Some(found) => Json(found).into_response(),
        None => refuse(409, "not_served", "the site is not served now"),
    }
}
