//! `GET /v1/metrics`.

use std::sync::Arc;

use aipress_types::ShardHealth;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use http::header;

use crate::app::shard::believed;
use crate::metrics::CONTENT_TYPE;
use crate::metrics::WordLabels;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Show the metrics, as OpenMetrics text.
#[utoipa::path(
    get,
    path = "/v1/metrics",
    tag = "metrics",
    operation_id = "metrics_show",
    responses((
        status = 200, description = "The metrics", body = String,
        content_type = "application/openmetrics-text",
    ))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::MetricsRead, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "metrics"))?;
    let metrics = &plane.metrics;
    let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    metrics.tenants.clear();
    for (state, count) in plane.store.tenant_counts().await? {
        let labels = WordLabels { state: state.as_str().to_owned() };
        metrics.tenants.get_or_create(&labels).set(gauge(count));
    }
    let heard = plane.heard();
    let healths: Vec<ShardHealth> = plane
        .store
        .shard_facts()
        .await?
        .into_iter()
        .map(|standing| believed(standing, heard).facts.health)
        .collect();
    for health in
        [ShardHealth::Healthy, ShardHealth::Degraded, ShardHealth::Unhealthy, ShardHealth::Unknown]
    {
        let count = healths.iter().filter(|other| **other == health).count() as u64;
        let labels = WordLabels { state: health.as_str().to_owned() };
        metrics.shards.get_or_create(&labels).set(gauge(count));
    }
    let text = metrics.render().map_err(|error| ApiError::internal("render metrics", &error))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
