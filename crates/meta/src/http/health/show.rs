//! `GET /v1/health`: open to all, so it says little.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aipress_api::HealthView;
use aipress_types::ShardHealth;
use axum::extract::State;
use axum::response::Response;

use crate::app::shard::believed;
use crate::codes;
use crate::http::reply;
use crate::plane::Plane;
use crate::problem::ApiError;

/// Show whether the platform works. Needs no token.
#[utoipa::path(
    get,
    path = "/v1/health",
    tag = "health",
    operation_id = "health_show",
    security(()),
    responses((status = 200, description = "It works", body = HealthView))
)]
pub(crate) async fn show(State(plane): State<Arc<Plane>>) -> Result<Response, ApiError> {
    let heard = plane.heard();
    let standings = plane.store.shard_facts().await.map_err(|error| {
        tracing::warn!(%error, "health: the registry can't be read");
        ApiError::new(&codes::REGISTRY_UNAVAILABLE, "the registry can't be read right now")
    })?;
    let healthy = standings
        .into_iter()
        .filter(|standing| believed(standing.clone(), heard).facts.health == ShardHealth::Healthy)
        .count();
    reply::ok(&HealthView {
        status: if plane.is_damaged.load(Ordering::Relaxed) { "damaged" } else { "ok" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        healthy_shards: u32::try_from(healthy).unwrap_or(u32::MAX),
        shards: plane.federation.shards,
    })
}
