//! `GET /internal/v1/shards/{id}/intents`: everything that is wanted on a shard.

use std::sync::Arc;

use aipress_api::internal::IntentList;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;

use crate::app::intent;
use crate::http::internal::Role;
use crate::plane::Plane;
use crate::problem::ApiError;

/// A shard gets its own only.
pub(crate) async fn intents(
    State(plane): State<Arc<Plane>>,
    role: Role,
    Path(id): Path<String>,
) -> Result<Json<IntentList>, ApiError> {
    let shard = role.shard(&id)?;
    let intents = intent::of_shard(&plane, shard)
        .await
        .map_err(|error| ApiError::internal("make intents", &error))?;
    Ok(Json(IntentList { intents }))
}
