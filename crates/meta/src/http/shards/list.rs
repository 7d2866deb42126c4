//! `GET /v1/shards`.

use std::sync::Arc;

use aipress_api::Page;
use aipress_api::ShardView;
use aipress_types::ShardHealth;
use aipress_types::ShardId;
use aipress_types::ShardSchedulability;
use axum::extract::State;
use axum::response::Response;

use crate::app::shard;
use crate::http::cursor;
use crate::http::query::Params;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

const KNOWN: &[&str] = &["region", "health", "schedulability", "limit", "cursor"];

/// List shards, by number.
#[utoipa::path(
    get,
    path = "/v1/shards",
    tag = "shards",
    operation_id = "shard_list",
    params(
        ("region" = Option<String>, Query, description = "Only in this region"),
        ("health" = Option<String>, Query, description = "Only of this health"),
        ("schedulability" = Option<String>, Query, description = "Only of this schedulability"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "A page of shards", body = Page<ShardView>))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::ShardList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "shards"))?;
    params.only(KNOWN)?;
    let binding = params.binding("shards");
    let after = cursor::decode::<ShardId>(&params, binding)?;
    let limit = params.limit()? as usize;
    let region = params.one("region")?;
    let health = params.all("health", word::<ShardHealth>)?;
    let open = params.all("schedulability", word::<ShardSchedulability>)?;
    let heard = plane.heard();
    // A federation has a thousand shards: one read, cut here.
    let mut records = plane.store.shard_list().await?;
    records.sort_by_key(|record| record.id);
    let mut fitting = records
        .iter()
        .filter(|record| after.is_none_or(|after| record.id > after))
        .filter(|record| region.is_none_or(|region| record.region == region))
        .map(|record| (record.id, shard::view(record, heard)))
        .filter(|(_, view)| health.is_empty() || health.contains(&view.health))
        .filter(|(_, view)| open.is_empty() || open.contains(&view.schedulability))
        .peekable();
    let taken: Vec<(ShardId, ShardView)> = fitting.by_ref().take(limit).collect();
    let next = match (fitting.peek(), taken.last()) {
        (Some(_), Some((last, _))) => cursor::encode(binding, last),
        _ => None,
    };
    reply::page(taken.into_iter().map(|(_, view)| view).collect(), next)
}

/// A word of an enum, as it is on the wire.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|error| error.to_string())
}
