//! `POST /v1/packages/fetch`.

use aipress_api::PackageFetch;
use aipress_api::PackageView;
use axum::response::Response;

use crate::app::package;
use crate::http::call::Call;
use crate::http::json;

/// Let the mirror get a plugin or theme in advance.
///
/// Answers when it is in the mirror, after two minutes at most. From the directory of WordPress.org
/// it is for every site, from an address for those of the caller's account.
#[utoipa::path(
    post,
    path = "/v1/packages/fetch",
    tag = "packages",
    operation_id = "package_fetch",
    request_body = PackageFetch,
    responses((status = 200, description = "It is in the mirror", body = PackageView))
)]
pub(crate) async fn fetch(call: Call) -> Response {
    call.once(
        |scope, body| async move { package::fetch::fetch(&scope, json::decode(&body)?).await },
    )
    .await
}
