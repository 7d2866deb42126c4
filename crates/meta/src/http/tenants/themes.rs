//! `…/v1/tenants/{id}/themes`: themes of one site, one by one. Each change is one of its document.

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

const KIND: PackageKind = PackageKind::Theme;

/// Every endpoint of a site's themes.
pub(crate) fn routes() -> OpenApiRouter<Arc<Plane>> {
    OpenApiRouter::new()
        .routes(routes!(list, install))
        .routes(routes!(show, remove))
        .routes(routes!(activate))
        .routes(routes!(update))
}

/// List a site's themes.
///
/// What its document names first, then what else was seen on the site; all on one page.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/themes",
    tag = "tenants",
    operation_id = "tenant_theme_list",
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

/// Show a theme of a site.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/themes/{name}",
    tag = "tenants",
    operation_id = "tenant_theme_show",
    params(
        ("id" = String, Path, description = "Name or uid"),
        ("name" = String, Path, description = "Name of its folder"),
    ),
    responses((status = 200, description = "The theme", body = SitePackageView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    reply::ok(&site_package::show(&plane, &caller, KIND, &id, &name).await?)
}

/// Install a theme.
///
/// It becomes the site's theme when `active` says so. The site's document gets this entry, in place of one
/// of the same name. One that makes the site fail is taken back.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/themes",
    tag = "tenants",
    operation_id = "tenant_theme_install",
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

/// Make a theme the site's own.
///
/// The one before stays installed.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/themes/{name}/activate",
    tag = "tenants",
    operation_id = "tenant_theme_activate",
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

/// Change a theme to another version.
///
/// To the newest that can be had when no version is given: of the directory of WordPress.org, or of
/// the platform's mirror when that can't be reached. An update that makes the site fail is taken
/// back.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/themes/{name}/update",
    tag = "tenants",
    operation_id = "tenant_theme_update",
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

/// Remove a theme from a site, whoever installed it.
///
/// Not the one that the site is made with. What it left in the database stays there.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{id}/themes/{name}",
    tag = "tenants",
    operation_id = "tenant_theme_remove",
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
