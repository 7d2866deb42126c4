//! `POST /internal/v1/shards/{id}/inventories/{uid}`: what a site has.

use std::sync::Arc;

use aipress_api::inventory::INVENTORY_MAX;
use aipress_api::inventory::InventoryView;
use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use serde_json::Value;

use crate::app;
use crate::http::call::read_up_to;
use crate::http::internal::Role;
use crate::http::json;
use crate::plane::Plane;
use crate::problem::ApiError;

/// A shard tells of its own tenants only.
pub(crate) async fn put(
    State(plane): State<Arc<Plane>>,
    role: Role,
    Path((id, uid)): Path<(String, String)>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let shard = role.shard(&id)?;
    let uid = uid.parse().map_err(|_| ApiError::not_found("tenant", &uid))?;
    let view: InventoryView = json::decode(&read_up_to(body, INVENTORY_MAX).await?)?;
    app::inventory::take(&plane, shard, uid, view).await?;
    Ok(Json(Value::Null))
}
