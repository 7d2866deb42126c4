//! `/v1/tenants/{id}/mail`: what a site sent, sent again or removed.

use std::sync::Arc;

use aipress_api::internal::MailVerb;
use aipress_api::mail::MailChangedView;
use aipress_api::mail::MailListView;
use aipress_api::mail::MailSelection;
use aipress_api::mail::MailView;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::Method;

use crate::app;
use crate::app::ask_shard;
use crate::app::mail;
use crate::app::tenant;
use crate::codes;
use crate::http::call::Call;
use crate::http::json;
use crate::http::reply;
use crate::http::told::Told;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

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
    told: Told,
    Path((id, wanted)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let found = tenant::find(&plane, &caller, Action::TenantMail, &id).await?;
    let none = || {
        let detail = format!("`{}` has no such mail", found.name);
        ApiError::new(&codes::NOT_FOUND, detail)
    };
    if !mail::is_id(&wanted) {
        return Err(none());
    }
    let list: MailListView =
        ask_shard::ask(&plane, &found, Method::GET, "mail", &(), "mail").await?;
    if !list.items.iter().any(|item| item.id == wanted) {
        return Err(none());
    }
    let verb = format!("mail/{wanted}");
    let view: MailView = ask_shard::ask(&plane, &found, Method::GET, &verb, &(), "mail").await?;
    // It may have a link that sets somebody's password.
    let read = serde_json::json!({ "mail": wanted });
    app::audit::note_read(&plane, &told.by(&caller), found.uid, "tenant.mail_read", read).await?;
    reply::ok(&view)
}

/// Send mail of a site again.
///
/// What came back, what stays here since no mail server was set, and what waits for its next try: now,
/// and as often as new mail is tried. Not what was sent: its text is no longer kept.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/mail/retry",
    tag = "tenants",
    operation_id = "tenant_mail_retry",
    params(("id" = String, Path, description = "Name or uid")),
    request_body = MailSelection,
    responses((status = 200, description = "Which, and which not", body = MailChangedView))
)]
pub(crate) async fn retry(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        mail::change(&scope, &id, MailVerb::Retry, json::decode(&body)?).await
    })
    .await
}

/// Remove mail of a site.
///
/// Whatever became of it; what waits is not sent, but what is on its way in this moment may arrive. What the site's limits count stays counted.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/mail/delete",
    tag = "tenants",
    operation_id = "tenant_mail_delete",
    params(("id" = String, Path, description = "Name or uid")),
    request_body = MailSelection,
    responses((status = 200, description = "Which, and which not", body = MailChangedView))
)]
pub(crate) async fn delete(Path(id): Path<String>, call: Call) -> Response {
    call.once(|scope, body| async move {
        mail::change(&scope, &id, MailVerb::Delete, json::decode(&body)?).await
    })
    .await
}
