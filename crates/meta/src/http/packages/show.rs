//! `GET /v1/packages/{sha256}`.

use std::sync::Arc;

use aipress_api::PackageView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::app::package;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::policy::visible_accounts;
use crate::problem::ApiError;

/// Show an archive of the mirror.
#[utoipa::path(
    get,
    path = "/v1/packages/{sha256}",
    tag = "packages",
    operation_id = "package_show",
    params(("sha256" = String, Path, description = "Of the archive")),
    responses((status = 200, description = "The archive", body = PackageView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    Path(sha256): Path<String>,
    caller: Caller,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::PackageRead, Resource::Platform)
        .map_err(|denied| denied.into_error("package", &sha256))?;
    let record = package::find(&plane, &caller, &sha256).await?;
    reply::ok(&package::view(&record, visible_accounts(&caller).as_deref()))
}
