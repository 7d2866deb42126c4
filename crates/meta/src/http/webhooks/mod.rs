//! `/v1/webhooks`: addresses that are told of events.

mod create;
mod delete;
mod deliveries;
mod list;
mod replay;
mod rotate_secret;
mod show;
mod test;
mod update;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::plane::Plane;

/// The endpoints of webhooks.
pub(crate) fn routes() -> OpenApiRouter<Arc<Plane>> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(show::show, update::update, delete::delete))
        .routes(routes!(test::test))
        .routes(routes!(rotate_secret::rotate_secret))
        .routes(routes!(deliveries::deliveries))
        .routes(routes!(replay::replay))
}
