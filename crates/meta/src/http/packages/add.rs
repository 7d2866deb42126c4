//! `POST /v1/packages`: the body is the archive itself.

use aipress_api::PackageView;
use aipress_types::PackageKind;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::app::package;
use crate::http::query::Params;
use crate::http::upload::Upload;

/// Upload a plugin or theme to the mirror.
///
/// The body is its zip archive, at most 100 MiB. It is checked whole: one folder, no paths that lead
/// elsewhere, no links, nothing twice, no bombs. What a customer uploads only that account's sites
/// can use; what a platform-admin uploads, every site.
#[utoipa::path(
    post,
    path = "/v1/packages",
    tag = "packages",
    operation_id = "package_add",
    params(("kind" = Option<PackageKind>, Query, description = "Found by its headers when left out")),
    request_body(content = Vec<u8>, content_type = "application/zip"),
    responses(
        (status = 201, description = "It is in the mirror", body = PackageView),
        (status = 200, description = "It was there already", body = PackageView),
    )
)]
pub(crate) async fn add(params: Params, upload: Upload) -> Response {
    let kind = match params.parsed::<PackageKind>("kind") {
        Ok(kind) => kind,
        Err(refusal) => return refusal.into_response(),
    };
    let Upload { call, received } = upload;
    call.once(move |scope, _| async move { package::add::upload(&scope, received, kind).await })
        .await
}
