//! `…/v1/tenants/{id}/plugins`: plugins of one site, one by one. Each change is one of its document.

use std::sync::Arc;

use aipress_api::Accepted;
use aipress_api::Page;
use aipress_api::SitePackageUpdate;
use aipress_api::SitePackageView;
use aipress_types::PackageKind;
use aipress_types::PackageSpec;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::site_package;
use crate::http::call::Call;
use crate::http::json;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

const KIND: PackageKind = PackageKind::Plugin;

/// Every endpoint of a site's plugins.
pub(crate) fn routes() -> OpenApiRouter<Arc<Plane>> {
    OpenApiRouter::new()
        .routes(routes!(list, install))
        .routes(routes!(show, remove))
        .routes(routes!(activate))
        .routes(routes!(deactivate))
        .routes(routes!(update))
}

/// List a site's plugins.
///
/// What its document names first, then what else was seen on the site; all on one page.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/plugins",
    tag = "tenants",
    operation_id = "tenant_plugin_list",
    params(("id" = String, Path, description = "Name or uid")),
    responses((status = 200, description = "All of them", body = Page<SitePackageView>))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    reply::page(site_package::list(&plane, &caller, KIND, &id).await?, None)
}

/// Show a plugin of a site.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/plugins/{name}",
    tag = "tenants",
    operation_id = "tenant_plugin_show",
    params(
        ("id" = String, Path, description = "Name or uid"),
        ("name" = String, Path, description = "Name of its folder"),
    ),
    responses((status = 200, description = "The plugin", body = SitePackageView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    reply::ok(&site_package::show(&plane, &caller, KIND, &id, &name).await?)
}

/// Install a plugin.
///
/// It is switched on unless `active` says otherwise. The site's document gets this entry, in place of one
/// of the same name. One that makes the site fail is taken back.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/plugins",
    tag = "tenants",
    operation_id = "tenant_plugin_install",
    params(("id" = String, Path, description = "Name or uid")),
    request_body = PackageSpec,
    responses(
        (status = 200, description = "It is so already", body = Accepted, headers(("ETag" = String))),
        (status = 202, description = "Recorded and under way", body = Accepted,
         headers(("Location" = String, description = "The operation"), ("ETag" = String))),
    )
)]
pub(crate) async fn install(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        site_package::install(&scope, KIND, &id, json::decode(&body)?).await
    })
    .await
}

/// Switch a plugin on.
///
/// One that is there, or that the site's document names.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/plugins/{name}/activate",
    tag = "tenants",
    operation_id = "tenant_plugin_activate",
    params(
        ("id" = String, Path, description = "Name or uid"),
        ("name" = String, Path, description = "Name of its folder"),
    ),
    responses(
        (status = 200, description = "It is so already", body = Accepted, headers(("ETag" = String))),
        (status = 202, description = "Recorded and under way", body = Accepted,
         headers(("Location" = String, description = "The operation"), ("ETag" = String))),
    )
)]
pub(crate) async fn activate(Path((id, name)): Path<(String, String)>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        site_package::switch(&scope, KIND, &id, &name, true).await
    })
    .await
}

/// Switch a plugin off.
///
/// It stays installed.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/plugins/{name}/deactivate",
    tag = "tenants",
    operation_id = "tenant_plugin_deactivate",
    params(
        ("id" = String, Path, description = "Name or uid"),
        ("name" = String, Path, description = "Name of its folder"),
    ),
    responses(
        (status = 200, description = "It is so already", body = Accepted, headers(("ETag" = String))),
        (status = 202, description = "Recorded and under way", body = Accepted,
         headers(("Location" = String, description = "The operation"), ("ETag" = String))),
    )
)]
pub(crate) async fn deactivate(Path((id, name)): Path<(String, String)>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        site_package::switch(&scope, KIND, &id, &name, false).await
    })
    .await
}

/// Change a plugin to another version.
///
/// To the newest that can be had when no version is given: of the directory of WordPress.org, or of
/// the platform's mirror when that can't be reached. An update that makes the site fail is taken
/// back.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/plugins/{name}/update",
    tag = "tenants",
    operation_id = "tenant_plugin_update",
    params(
        ("id" = String, Path, description = "Name or uid"),
        ("name" = String, Path, description = "Name of its folder"),
    ),
    request_body = SitePackageUpdate,
    responses(
        (status = 200, description = "It is so already", body = Accepted, headers(("ETag" = String))),
        (status = 202, description = "Recorded and under way", body = Accepted,
         headers(("Location" = String, description = "The operation"), ("ETag" = String))),
    )
)]
pub(crate) async fn update(Path((id, name)): Path<(String, String)>, call: Call) -> Response {
    call.once(|scope, body| async move {
        site_package::update(&scope, KIND, &id, &name, json::decode(&body)?).await
    })
    .await
}

/// Remove a plugin from a site, whoever installed it.
///
/// It is switched off first. What it left in the database stays there.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{id}/plugins/{name}",
    tag = "tenants",
    operation_id = "tenant_plugin_remove",
    params(
        ("id" = String, Path, description = "Name or uid"),
        ("name" = String, Path, description = "Name of its folder"),
    ),
    responses((
        status = 202, description = "Recorded and under way", body = Accepted,
        headers(("Location" = String, description = "The operation"), ("ETag" = String)),
    ))
)]
pub(crate) async fn remove(Path((id, name)): Path<(String, String)>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        site_package::remove(&scope, KIND, &id, &name).await
    })
    .await
}
