//! `GET /v1/tenants/{uid}/cron`: when a site's scheduled events are due, and its wakes.

use std::sync::Arc;

use aipress_types::TenantUid;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::problem::refuse;
use crate::plane::Plane;

/// 200 with what is known; 404 when the site is not here.
pub(super) async fn show(State(plane): State<Arc<Plane>>, Path(uid): Path<String>) -> Response {
    match uid.parse::<TenantUid>().ok().filter(|uid| plane.tenants.fetch(*uid).is_some()) {
        Some(uid) => Json(plane.cron.view(uid)).into_response(),
        None => refuse(404, "not_found", "no such tenant on this shard"),
    }
}
