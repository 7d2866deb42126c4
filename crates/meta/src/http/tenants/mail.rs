//! `GET /v1/tenants/{id}/mail` and `GET /v1/tenants/{id}/mail/{mail}`.

use std::sync::Arc;

use aipress_api::mail::MailListView;
use aipress_api::mail::MailView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::Method;

use crate::app::ask_shard;
use crate::app::tenant;
use crate::codes;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Longest id of a message.
const ID_MAX: usize = 40;

/// List what a site sent by mail.
///
/// What waits, what was sent, what came back with the mail server's words, and, where no mail server
/// is set, what stays here; and how much of the site's limits is used.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/mail",
    tag = "tenants",
    operation_id = "tenant_mail",
    params(("id" = String, Path, description = "Name or uid")),
    responses((status = 200, description = "The newest first", body = MailListView))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = tenant::find(&plane, &caller, Action::TenantMail, &id).await?;
    let view: MailListView =
        ask_shard::ask(&plane, &found, Method::GET, "mail", &(), "mail").await?;
    reply::ok(&view)
}

/// Show a mail that a site sent.
///
/// With the message itself, unless it was sent: then nothing is kept but what is known of it.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/mail/{mail}",
    tag = "tenants",
    operation_id = "tenant_mail_show",
    params(
        ("id" = String, Path, description = "Name or uid"),
        ("mail" = String, Path, description = "Its id"),
    ),
    responses((status = 200, description = "The mail", body = MailView))
)]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path((id, mail)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let found = tenant::find(&plane, &caller, Action::TenantMail, &id).await?;
    let is_id = mail.len() <= ID_MAX
        && mail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let none = || {
        let detail = format!("`{}` has no such mail", found.name);
        ApiError::new(&codes::NOT_FOUND, detail)
    };
    if !is_id {
        return Err(none());
    }
    let list: MailListView =
        ask_shard::ask(&plane, &found, Method::GET, "mail", &(), "mail").await?;
    if !list.items.iter().any(|item| item.id == mail) {
        return Err(none());
    }
    let verb = format!("mail/{mail}");
    let view: MailView = ask_shard::ask(&plane, &found, Method::GET, &verb, &(), "mail").await?;
    reply::ok(&view)
}
