//! `GET /v1/me`.

use std::sync::Arc;

use aipress_api::MeView;
use axum::extract::State;
use axum::response::Response;

use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::PLATFORM_ADMIN;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Show who the caller is, and what the platform has for his sites.
#[utoipa::path(
    get,
    path = "/v1/me",
    tag = "me",
    operation_id = "me_show",
    responses((status = 200, description = "The caller", body = MeView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::MeRead, Resource::Platform)
        .map_err(|denied| denied.into_error("user", "me"))?;
    let platform_role = (caller.user.role == PLATFORM_ADMIN).then(|| caller.user.role.clone());
    reply::ok(&MeView {
        user: caller.user.id.0,
        name: caller.user.login,
        account: caller.account.id.0,
        platform_role,
        token_prefix: caller.token.prefix,
        token_expires_at: caller.token.expires_at,
        php_version: plane.php.clone(),
    })
}
