//! `PUT /v1/intents/{uid}`: meta asks for something. Acknowledged once it is on disk.

use std::sync::Arc;

use aipress_kit::faults;
use aipress_types::TenantIntent;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::problem::refuse;
use crate::plane::Plane;
use crate::tenants::Accepted;

/// 202 when it is news, 200 when it is held already, 409 when a newer one is held.
pub(super) async fn put(
    State(plane): State<Arc<Plane>>,
    Path(uid): Path<String>,
    Json(intent): Json<TenantIntent>,
) -> Response {
    if uid != intent.uid.to_string() {
        return refuse(422, "uid_mismatch", "the path and the intent name different tenants");
    }
    let uid = intent.uid;
    faults::point("shard.accept.before");
    match plane.tenants.accept(intent) {
        Ok(Accepted::New) => {
            faults::point("shard.accept.after");
            plane.queue.add(uid);
            StatusCode::ACCEPTED.into_response()
        }
        Ok(Accepted::Same) => {
            // Whoever sends it again is in doubt whether it is done.
            if plane.tenants.fetch(uid).is_some_and(|tenant| !tenant.converged()) {
                plane.queue.add(uid);
            }
            StatusCode::OK.into_response()
        }
        Ok(Accepted::Stale) => refuse(409, "stale_intent", "a newer intent is held"),
        Err(error) => {
            tracing::error!(tenant_id = %uid, %error, "an intent can't be kept");
            refuse(503, "intent_not_kept", error.to_string())
        }
    }
}
