//! `GET /v1/shards/{id}`.

use std::sync::Arc;

use aipress_api::ShardView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::shard;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Show a shard.
#[utoipa::path(
    get,
    path = "/v1/shards/{id}",
    tag = "shards",
    operation_id = "shard_show",
    params(("id" = String, Path, description = "Such as aipress-shard-001")),
    responses((status = 200, description = "The shard", body = ShardView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::ShardRead, Resource::Shard)
        .map_err(|denied| denied.into_error("shard", &id))?;
    let found = match id.parse() {
        Ok(shard) => plane.store.shard_fetch(shard).await?,
        Err(_) => None,
    };
    let found = found.ok_or_else(|| ApiError::not_found("shard", &id))?;
    reply::ok(&shard::view(&found, plane.heard()))
}
