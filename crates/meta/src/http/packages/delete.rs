//! `DELETE /v1/packages/{sha256}`.

use aipress_api::PackageView;
use axum::extract::Path;
use axum::response::Response;

use crate::app::package;
use crate::http::call::Call;
use crate::http::json;

/// Remove an archive from the mirror.
///
/// Not while the spec of a site names it. Sites that have it installed keep it.
#[utoipa::path(
    delete,
    path = "/v1/packages/{sha256}",
    tag = "packages",
    operation_id = "package_delete",
    params(("sha256" = String, Path, description = "Of the archive")),
    responses((status = 200, description = "What it was", body = PackageView))
)]
pub(crate) async fn delete(Path(sha256): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        json::decode_nothing(&body)?;
        package::delete::delete(&scope, &sha256).await
    })
    .await
}
