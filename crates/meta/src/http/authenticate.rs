//! Who calls: the bearer token (RFC 6750) against its hash in the registry. Says nothing of what
//! the caller may do; that is policy.

use std::sync::Arc;

use aipress_kit::tasks;
use aipress_store::TokenRecord;
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header;
use http::request::Parts;
use time::Duration;

use crate::admin_token::TOKEN_PREFIX;
use crate::admin_token::hash;
use crate::http::dispatch::Proven;
use crate::http::envelope::AccessNote;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// How exact `last_used_at` is.
const TOUCH_EVERY: Duration = Duration::minutes(1);

impl FromRequestParts<Arc<Plane>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        plane: &Arc<Plane>,
    ) -> Result<Self, Self::Rejection> {
        let caller = match parts.extensions.get::<Proven>() {
            Some(Proven { caller, .. }) => caller.clone(),
            None => authenticate(plane, &parts.headers).await?,
        };
        if let Some(note) = parts.extensions.get::<AccessNote>() {
            note.set_caller(caller.actor());
        }
        Ok(caller)
    }
}

/// The text of the `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    // The scheme is case-insensitive (RFC 9110 section 11.1).
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn authenticate(plane: &Arc<Plane>, headers: &HeaderMap) -> Result<Caller, ApiError> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(ApiError::unauthenticated(
            "send a token as `Authorization: Bearer aip_…`",
            None,
        ));
    }
    // Wrong, revoked, over and disabled look the same: who has no token learns nothing of it.
    let wrong = || {
        ApiError::unauthenticated(
            "the token is not valid (any more): ask for a new one",
            Some("invalid_token"),
        )
    };
    let token = bearer(headers).filter(|token| token.starts_with(TOKEN_PREFIX));
    let Some(token) = token else { return Err(wrong()) };
    // Looked up by hash: an index tells an attacker only what SHA-256 gives away, nothing.
    let Some(identity) = plane.store.token_by_hash(&hash(token)).await? else {
        return Err(wrong());
    };
    let now = plane.clock.now();
    let over = identity.token.expires_at.is_some_and(|at| at <= now);
    if over || identity.token.revoked_at.is_some() || identity.user.disabled_at.is_some() {
        return Err(wrong());
    }
    touch(plane, &identity.token);
    Ok(Caller { user: identity.user, account: identity.account, token: identity.token })
}

/// Notes that the token was used, beside the request: it must not wait for the write lock.
fn touch(plane: &Arc<Plane>, token: &TokenRecord) {
    let now = plane.clock.now();
    if token.last_used_at.is_some_and(|at| now - at < TOUCH_EVERY) {
        return;
    }
    // One at a time: the next request does it otherwise.
    let Ok(permit) = Arc::clone(&plane.touches).try_acquire_owned() else { return };
    let (plane, token) = (Arc::clone(plane), token.clone());
    tasks::spawn("token-touch", async move {
        if let Err(error) = plane.store.token_touch(&token, now).await {
            tracing::debug!(%error, "token use not noted");
        }
        drop(permit);
    });
}
