//! `PATCH /v1/shards/{id}`.

use aipress_api::ShardPatch;
use aipress_api::ShardView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::shard;
use crate::http::call::Call;
use crate::http::json;
use crate::problem::ApiError;

/// Let a shard take new sites, or not.
#[utoipa::path(
    patch,
    path = "/v1/shards/{id}",
    tag = "shards",
    operation_id = "shard_update",
    params(("id" = String, Path, description = "Such as aipress-shard-001")),
    request_body = ShardPatch,
    responses((status = 200, description = "The shard", body = ShardView))
)]
pub(crate) async fn update(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        let number = id.parse().map_err(|_| ApiError::not_found("shard", &id))?;
        let patch: ShardPatch = json::decode(&body)?;
        shard::set_schedulability(&scope, number, patch.schedulability).await
    })
    .await
}
