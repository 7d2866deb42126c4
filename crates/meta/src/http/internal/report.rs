//! `POST /internal/v1/shards/{id}/report`: what is.

use std::sync::Arc;

use aipress_api::internal::ReportAnswer;
use aipress_api::internal::ShardReport;
use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;

use crate::app;
use crate::http::call::read_up_to;
use crate::http::internal::Role;
use crate::http::json;
use crate::plane::Plane;
use crate::problem::ApiError;

/// Largest report, in bytes: 50 tenants with their steps are some 100 KB.
const REPORT_MAX: usize = 8 * 1024 * 1024;

/// A shard reports of itself only.
pub(crate) async fn report(
    State(plane): State<Arc<Plane>>,
    role: Role,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<ReportAnswer>, ApiError> {
    let shard = role.shard(&id)?;
    let report: ShardReport = json::decode(&read_up_to(body, REPORT_MAX).await?)?;
    Ok(Json(app::report::take(&plane, shard, report).await?))
}
