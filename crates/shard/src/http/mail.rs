//! `GET /v1/tenants/{uid}/mail` and one of it: what a site sent; `POST` sends again or removes.

use std::sync::Arc;

use aipress_api::Severity;
use aipress_api::internal::MailChange;
use aipress_api::internal::MailVerb;
use aipress_types::TenantUid;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::problem::refuse;
use crate::plane::Plane;

/// 200 with all, the newest first; 404 when the site is not here.
pub(super) async fn list(State(plane): State<Arc<Plane>>, Path(uid): Path<String>) -> Response {
    let uid = uid.parse::<TenantUid>().ok();
    let found = uid.and_then(|uid| Some((uid, plane.tenants.fetch(uid)?)));
    match found {
        Some((uid, tenant)) => {
            Json(plane.mails.list(uid, tenant.entry.intent.spec.tier)).into_response()
        }
        None => refuse(404, "not_found", "no such tenant on this shard"),
    }
}

/// 200 with its text, as long as it is here; 404 when there is none.
pub(super) async fn show(
    State(plane): State<Arc<Plane>>,
    Path((uid, id)): Path<(String, String)>,
) -> Response {
    match uid.parse::<TenantUid>().ok().and_then(|uid| plane.mails.show(uid, &id)) {
        Some(view) => Json(view).into_response(),
        None => refuse(404, "not_found", "no such mail of this tenant"),
    }
}

/// 200 with what was done; 404 when the site is not here, 409 when nothing can be sent.
pub(super) async fn change(
    State(plane): State<Arc<Plane>>,
    Path(uid): Path<String>,
    Json(change): Json<MailChange>,
) -> Response {
    let uid = uid.parse::<TenantUid>().ok();
    let Some(uid) = uid.filter(|uid| plane.tenants.fetch(*uid).is_some()) else {
        return refuse(404, "not_found", "no such tenant on this shard");
    };
    let (own, verb, is_rehearsal) = (Arc::clone(&plane), change.verb, change.is_rehearsal);
    // A thousand files may be written.
    let done = tokio::task::spawn_blocking(move || own.mails.change(uid, &change)).await;
    match done {
        Ok(Ok(done)) => {
            if !is_rehearsal && !done.items.is_empty() {
                let what = match verb {
                    MailVerb::Retry => "sent again",
                    MailVerb::Delete => "removed",
                };
                let words = format!("{} of the site's mail: {what} by hand", done.items.len());
                plane.tell(uid, Severity::Notice, words);
            }
            Json(done).into_response()
        }
        Ok(Err(words)) => refuse(409, "invalid_state", words),
        Err(error) => refuse(500, "internal", error.to_string()),
    }
}
