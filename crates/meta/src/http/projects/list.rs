//! `GET /v1/projects`.

use std::sync::Arc;

use aipress_api::Page;
use aipress_api::ProjectView;
use axum::extract::State;
use axum::response::Response;

use crate::http::cursor;
use crate::http::query::Params;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

const KNOWN: &[&str] = &["kind", "limit", "cursor"];

/// List projects, by id.
#[utoipa::path(
    get,
    path = "/v1/projects",
    tag = "projects",
    operation_id = "project_list",
    params(
        ("kind" = Option<String>, Query, description = "`control`, `shared` or `shard`"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "A page of projects", body = Page<ProjectView>))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::ProjectList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "projects"))?;
    params.only(KNOWN)?;
    let binding = params.binding("projects");
    let after = cursor::decode::<String>(&params, binding)?;
    let limit = params.limit()? as usize;
    let kind = params.one("kind")?;
    let mut records = plane.store.project_list().await?;
    records.sort_by(|a, b| a.id.cmp(&b.id));
    let mut fitting = records
        .into_iter()
        .filter(|record| after.as_ref().is_none_or(|after| record.id.0 > *after))
        .filter(|record| kind.is_none_or(|kind| record.kind == kind))
        .peekable();
    let items: Vec<ProjectView> = fitting
        .by_ref()
        .take(limit)
        .map(|record| ProjectView {
            shard: (record.kind == "shard").then(|| record.id.to_string()),
            id: record.id.to_string(),
            kind: record.kind,
            region: record.region,
        })
        .collect();
    let next = match (fitting.peek(), items.last()) {
        (Some(_), Some(last)) => cursor::encode(binding, &last.id),
        _ => None,
    };
    reply::page(items, next)
}
