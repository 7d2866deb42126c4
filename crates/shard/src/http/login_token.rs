//! `POST /v1/tenants/{uid}/login-token`: leaves a one-time login for a site to take.

use std::sync::Arc;

use aipress_api::Severity;
use aipress_api::internal::LoginTokenCreate;
use aipress_drivers::LoginToken;
use aipress_drivers::Slot;
use aipress_types::DesiredState;
use aipress_types::TenantUid;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::problem::refuse;
use crate::plane::Plane;

/// 204 when the token is on disk; 404 and 409 when the site is not here or not served.
pub(super) async fn create(
    State(plane): State<Arc<Plane>>,
    Path(uid): Path<String>,
    Json(body): Json<LoginTokenCreate>,
) -> Response {
    let tenant = uid.parse::<TenantUid>().ok().and_then(|uid| plane.tenants.fetch(uid));
    let Some(tenant) = tenant else {
        return refuse(404, "not_found", "no such tenant on this shard");
    };
    let entry = &tenant.entry;
    let served = entry.built && !entry.aside && entry.intent.desired == DesiredState::Active;
    let Some(slot) = entry.slot.and_then(Slot::new).filter(|_| served) else {
        return refuse(409, "not_served", "the site is not served now");
    };
    let token = LoginToken {
        sha256_hex: body.token_sha256,
        login: body.user,
        expires_unix_s: body.expires,
    };
    let now = plane.clock.now().unix_timestamp();
    match plane.drivers.files.write_login_token(entry.intent.uid, slot, &token, now).await {
        Ok(()) => {
            plane.tell(entry.intent.uid, Severity::Notice, "a link that signs in was made");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            tracing::error!(tenant_id = %entry.intent.uid, %error, "a login can't be left");
            refuse(503, "login_not_kept", error.to_string())
        }
    }
}
