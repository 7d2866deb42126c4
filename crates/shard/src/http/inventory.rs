//! `GET /v1/inventory`: all that exists on this shard, beside the tenant that explains it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::problem::refuse;
use crate::inventory;
use crate::plane::Plane;

/// 503 when a server can't be asked: an inventory with a part missing is none.
pub(super) async fn list(State(plane): State<Arc<Plane>>) -> Response {
    match inventory::take(&plane).await {
        Ok(inventory) => Json(inventory).into_response(),
        Err(error) => refuse(503, "inventory_incomplete", error.to_string()),
    }
}
