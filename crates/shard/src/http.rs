//! The control API of a shard: for meta, its gateway, and doctor. Callers are known by their Unix
//! user, which the kernel tells; nobody else gets past the door.

mod cron;
mod exports;
mod intents;
mod inventory;
mod login_token;
mod logs;
mod mail;
mod problem;
mod site_inventory;
mod sites;
mod wp;

use std::sync::Arc;

use aipress_api::paths;
use aipress_kit::http::Peer;
use axum::Extension;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use axum::routing::put;

use crate::plane::Plane;

/// An intent is a few KiB.
const MAX_BODY: usize = 256 * 1024;
/// A command comes with its input.
const MAX_COMMAND: usize = 2 * 1024 * 1024;

/// The routes.
pub(crate) fn router(plane: Arc<Plane>) -> Router {
    Router::new()
        .route(&format!("{}/{{uid}}", paths::SHARD_INTENTS), put(intents::put))
        .route(&format!("{}/{{uid}}/login-token", paths::SHARD_TENANTS), post(login_token::create))
        .route(
            &format!("{}/{{id}}", paths::SHARD_EXPORTS),
            put(exports::put).delete(exports::delete),
        )
        .route(&format!("{}/{{id}}/data", paths::SHARD_EXPORTS), get(exports::data))
        .route(&format!("{}/{{uid}}/logs", paths::SHARD_TENANTS), post(logs::read))
        .route(
            &format!("{}/{{uid}}/wp", paths::SHARD_TENANTS),
            post(wp::run).layer(DefaultBodyLimit::max(MAX_COMMAND)),
        )
        .route(
            &format!("{}/{{uid}}/wp-plan", paths::SHARD_TENANTS),
            post(wp::plan).layer(DefaultBodyLimit::max(MAX_COMMAND)),
        )
        .route(
            &format!("{}/{{uid}}/mail", paths::SHARD_TENANTS),
            get(mail::list).post(mail::change),
        )
        .route(&format!("{}/{{uid}}/mail/{{id}}", paths::SHARD_TENANTS), get(mail::show))
        .route(&format!("{}/{{uid}}/cron", paths::SHARD_TENANTS), get(cron::show))
        .route(
            &format!("{}/{{uid}}/inventory", paths::SHARD_TENANTS),
            post(site_inventory::refresh),
        )
        .route(paths::SHARD_SITES, get(sites::list))
        .route(paths::SHARD_INVENTORY, get(inventory::list))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&plane), door))
        .with_state(plane)
}

async fn door(
    State(plane): State<Arc<Plane>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let own = rustix::process::geteuid().as_raw();
    let known = match peer {
        Peer::Unix { uid } => uid == 0 || uid == own || plane.config.callers.contains(&uid),
        Peer::Tcp(_) => false,
    };
    if !known {
        tracing::warn!(?peer, path = request.uri().path(), "a stranger called the control plane");
        return problem::refuse(403, "forbidden", "this socket is for the platform's own roles")
            .into_response();
    }
    next.run(request).await
}
