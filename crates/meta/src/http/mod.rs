//! HTTP: decode, authorize, call, encode. One file for each verb of each resource; adding an
//! endpoint adds a file and one line to [`routes()`].

pub(crate) mod audit;
pub(crate) mod authenticate;
pub(crate) mod call;
pub(crate) mod cursor;
pub(crate) mod dispatch;
mod docs;
pub(crate) mod dry_run;
pub(crate) mod envelope;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod health;
pub(crate) mod imports;
pub(crate) mod internal;
pub(crate) mod json;
pub(crate) mod me;
pub(crate) mod metrics;
mod openapi;
pub(crate) mod operations;
pub(crate) mod packages;
pub(crate) mod plans;
pub(crate) mod projects;
pub(crate) mod query;
pub(crate) mod reply;
pub(crate) mod schemas;
pub(crate) mod shards;
pub(crate) mod sse;
pub(crate) mod tenants;
pub(crate) mod told;
pub(crate) mod upload;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::middleware;
use axum::routing::get;
use axum::routing::post;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::codes;
use crate::plane::Plane;
use crate::problem::ApiError;

pub use openapi::openapi;

/// Every public endpoint. Needs no plane, so that the description of the API comes from the same
/// lines as the API.
fn routes() -> OpenApiRouter<Arc<Plane>> {
    OpenApiRouter::with_openapi(openapi::preamble())
        .merge(tenant_routes())
        .routes(routes!(exports::show::show))
        .routes(routes!(exports::data::data))
        .routes(routes!(imports::create::create))
        .routes(routes!(imports::show::show, imports::delete::delete))
        .routes(routes!(imports::data::append))
        .routes(routes!(imports::complete::complete))
        .routes(routes!(schemas::tenant::tenant))
        .routes(routes!(shards::list::list))
        .routes(routes!(shards::show::show, shards::update::update))
        .routes(routes!(plans::create::create))
        .routes(routes!(plans::show::show))
        .routes(routes!(plans::apply::apply))
        .routes(routes!(projects::list::list))
        .routes(routes!(operations::list::list))
        .routes(routes!(operations::show::show))
        .routes(routes!(operations::events::events))
        .routes(routes!(packages::list::list, packages::add::add))
        .routes(routes!(packages::show::show, packages::delete::delete))
        .routes(routes!(packages::fetch::fetch))
        .merge(audit::routes())
        .routes(routes!(events::list::list))
        .merge(webhooks::routes())
        .routes(routes!(me::show::show))
        .routes(routes!(health::show::show))
        .routes(routes!(metrics::show::show))
}

/// Those of sites.
fn tenant_routes() -> OpenApiRouter<Arc<Plane>> {
    OpenApiRouter::new()
        .routes(routes!(tenants::create::create, tenants::list::list))
        .routes(routes!(
            tenants::show::show,
            tenants::put::put,
            tenants::update::update,
            tenants::delete::delete
        ))
        .routes(routes!(tenants::document::document))
        .routes(routes!(tenants::suspend::suspend))
        .routes(routes!(tenants::resume::resume))
        .routes(routes!(tenants::rotate_secrets::rotate_secrets))
        .routes(routes!(tenants::undelete::undelete))
        .routes(routes!(tenants::erase::erase))
        .routes(routes!(tenants::route::route))
        .routes(routes!(tenants::login_link::login_link))
        .routes(routes!(tenants::logs::logs))
        .routes(routes!(tenants::cron::cron))
        .routes(routes!(tenants::mail::list))
        .routes(routes!(tenants::mail::show))
        .routes(routes!(tenants::mail::retry))
        .routes(routes!(tenants::mail::delete))
        .routes(routes!(tenants::inventory::show))
        .routes(routes!(tenants::inventory::refresh))
        .merge(tenants::plugins::routes())
        .merge(tenants::themes::routes())
        .routes(routes!(tenants::wp::wp))
        .routes(routes!(tenants::export::export))
        .routes(routes!(tenants::clone::clone))
}

/// The public API.
pub(crate) fn public_router(plane: Arc<Plane>) -> Router {
    let (router, _) = routes().split_for_parts();
    finished(router.merge(docs::routes()), plane)
}

/// The same for calls from within: what is around every request from outside is around them already.
pub(crate) fn bare_router(plane: Arc<Plane>) -> Router {
    let (router, _) = routes().split_for_parts();
    router.fallback(unknown_path).method_not_allowed_fallback(wrong_method).with_state(plane)
}

/// The calls between roles.
pub(crate) fn internal_router(plane: Arc<Plane>) -> Router {
    let router = Router::new()
        .route("/internal/v1/shards/{id}/intents", get(internal::intents::intents))
        .route("/internal/v1/shards/{id}/inventories/{uid}", post(internal::inventories::put))
        .route("/internal/v1/shards/{id}/report", post(internal::report::report))
        .route("/internal/v1/imports/{id}/data", get(internal::imports::data))
        .route("/internal/v1/packages/resolve", post(internal::packages::resolve))
        .route("/internal/v1/packages/{sha256}", get(internal::packages::archive))
        .route("/internal/v1/routes", get(internal::routes::routes))
        .route("/internal/v1/routes/{host}", get(internal::route::route));
    finished(router, plane)
}

fn finished(router: Router<Arc<Plane>>, plane: Arc<Plane>) -> Router {
    router
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&plane), envelope::wrap))
        .with_state(plane)
}

async fn unknown_path(uri: Uri) -> ApiError {
    ApiError::new(
        &codes::NOT_FOUND,
        format!("there is nothing at {}; the API's paths are in its OpenAPI document", uri.path()),
    )
}

async fn wrong_method() -> ApiError {
    ApiError::new(&codes::METHOD_NOT_ALLOWED, "see `Allow` for the methods that it takes")
}
