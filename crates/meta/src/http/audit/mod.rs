//! `/v1/audit`: who did what.

mod checkpoints;
mod export;
mod filter;
mod list;
mod verification;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::plane::Plane;

/// Its endpoints.
pub(crate) fn routes() -> OpenApiRouter<Arc<Plane>> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(checkpoints::checkpoints))
        .routes(routes!(export::export))
        .routes(routes!(verification::verification))
}
