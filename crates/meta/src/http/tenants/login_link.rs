//! `POST /v1/tenants/{id}/login-link`.

use aipress_api::LoginLinkCreate;
use aipress_api::LoginLinkView;
use axum::extract::Path;
use axum::response::Response;

use crate::app;
use crate::http::call::Call;
use crate::http::json;

/// Make a link that signs in to wp-admin once.
///
/// It works for 15 minutes. It is shown in this answer only: a replay of the request (the same
/// `Idempotency-Key`) comes without it and says so.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/login-link",
    tag = "tenants",
    operation_id = "tenant_login_link",
    params(("id" = String, Path, description = "Name or uid")),
    request_body = LoginLinkCreate,
    responses((status = 200, description = "The link", body = LoginLinkView))
)]
pub(crate) async fn login_link(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        app::login_link::create(&scope, &id, json::decode(&body)?).await
    })
    .await
}
