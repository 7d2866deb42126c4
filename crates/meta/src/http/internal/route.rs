//! `GET /internal/v1/routes/{host}`: one route, for an edge that met an unknown host.

use std::sync::Arc;

use aipress_api::internal::RouteEntry;
use aipress_store::RouteState;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;

use crate::app;
use crate::http::internal::Role;
use crate::plane::Plane;
use crate::problem::ApiError;

/// The route of `host`; 404 when there is none.
pub(crate) async fn route(
    State(plane): State<Arc<Plane>>,
    role: Role,
    Path(host): Path<String>,
) -> Result<Json<RouteEntry>, ApiError> {
    role.edge()?;
    let found = plane.store.route_fetch(&host.to_ascii_lowercase()).await?;
    found
        .filter(|route| route.state != RouteState::Deleted)
        .map(|route| Json(app::route::entry(route)))
        .ok_or_else(|| ApiError::not_found("route", &host))
}
