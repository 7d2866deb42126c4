//! `GET /v1/tenants/{uid}/mail` and one of it: what a site sent.

use std::sync::Arc;

use aipress_types::TenantUid;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::problem::refuse;
use crate::plane::Plane;

/// 200 with all, the newest first; 404 when the site is not here.
pub(super) async fn list(State(plane): State<Arc<Plane>>, Path(uid): Path<String>) -> Response {
    let uid = uid.parse::<TenantUid>().ok();
    let found = uid.and_then(|uid| Some((uid, plane.tenants.fetch(uid)?)));
    match found {
        Some((uid, tenant)) => {
            Json(plane.mails.list(uid, tenant.entry.intent.spec.tier)).into_response()
        }
        None => refuse(404, "not_found", "no such tenant on this shard"),
    }
}

/// 200 with its text, as long as it is here; 404 when there is none.
pub(super) async fn show(
    State(plane): State<Arc<Plane>>,
    Path((uid, id)): Path<(String, String)>,
) -> Response {
    match uid.parse::<TenantUid>().ok().and_then(|uid| plane.mails.show(uid, &id)) {
        Some(view) => Json(view).into_response(),
        None => refuse(404, "not_found", "no such mail of this tenant"),
    }
}
