//! One-time links into wp-admin. Meta keeps nothing of the token: its hash goes to the site's
//! shard, the token itself to the caller, once.

use std::time::Duration as StdDuration;

use aipress_api::LoginLinkCreate;
use aipress_api::LoginLinkView;
use aipress_api::internal::LoginTokenCreate;
use aipress_api::paths;
use aipress_kit::random;
use aipress_store::ShardRecord;
use aipress_store::TenantRecord;
use aipress_types::DesiredState;
use aipress_types::TenantState;
use aipress_types::capacity::LOGIN_LINK_TTL_S;
use http::Method;
use sha2::Digest;
use sha2::Sha256;
use time::Duration;
use time::OffsetDateTime;

use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::change::Change;
use crate::change::Note;
use crate::codes;
use crate::operations::shard_call;
use crate::operations::shard_call::ShardCallError;
use crate::policy::Action;
use crate::problem::ApiError;

/// Random characters of a login token: 43 of 62 kinds are 256 bits.
const TOKEN_LENGTH: usize = 43;
/// Longest user name that WordPress takes (`wp_users.user_login`).
const USER_MAX: usize = 60;
/// Longest wait for the shard, which writes one small file.
const TIMEOUT: StdDuration = StdDuration::from_secs(5);
/// Word in audit and events.
const KIND: &str = "tenant.login_link";

/// Makes a link for the tenant that `id` means.
pub(crate) async fn create(
    scope: &Scope,
    id: &str,
    body: LoginLinkCreate,
) -> Result<Answer, ApiError> {
    let plane = &scope.plane;
    if body.user.as_ref().is_some_and(|user| user.is_empty() || user.chars().count() > USER_MAX) {
        return Err(ApiError::field(
            "/user",
            format!("a user name has 1 to {USER_MAX} characters"),
        ));
    }
    let found = tenant::find(plane, &scope.caller, Action::TenantLoginLink, id).await?;
    scope.check_etag(&found.etag)?;
    let shard = serving_shard(scope, &found).await?;
    let now = plane.clock.now();
    let expires_at = expiry(now);
    let token = random::alphanumeric(TOKEN_LENGTH)
        .map_err(|error| ApiError::internal("make login token", &error))?;
    let request = LoginTokenCreate {
        token_sha256: hex::encode(Sha256::digest(token.as_bytes())),
        user: body.user.clone(),
        expires: expires_at.unix_timestamp(),
    };
    // Before the transaction, which must not wait for anybody: a token that no row tells of is
    // known to nobody and ends by itself.
    let path = format!("{}/{}/login-token", paths::SHARD_TENANTS, found.uid);
    if scope.dry_run.is_none() {
        shard_call::send(plane, &shard.address, Method::POST, &path, &request, TIMEOUT)
            .await
            .map_err(|error| refused(&found, &error))?;
    }

    let mut change = Change::begin(plane).await?;
    let current = tenant::find_in(&mut change, &scope.caller, Action::TenantLoginLink, id).await?;
    if current.uid != found.uid {
        return Err(ApiError::not_found("tenant", id));
    }
    let after = serde_json::json!({ "user": body.user, "expiresAt": expires_at.unix_timestamp() });
    let note = Note { action: KIND, before: None, after: Some(after) };
    change.note_tenant(&scope.origin, &current, note).await?;
    if let Some(noted) = change.noted.last_mut() {
        let user = body.user.as_deref().unwrap_or("the first administrator");
        let link = serde_json::json!({ "user": user, "validSeconds": LOGIN_LINK_TTL_S });
        noted.after = Some(serde_json::json!({ "loginLink": link }));
        noted.made_from = tenant::made_from(&current);
    }
    let home = plane.sites.home(current.name.as_str());
    let encode = |view: LoginLinkView| {
        serde_json::to_value(view).map_err(|error| ApiError::internal("encode link", &error))
    };
    let answer = Answer {
        status: 200,
        body: encode(LoginLinkView {
            url: None,
            expires_at,
            notice: Some(
                "the link was shown in the first answer to this request and is not shown again: \
                 make a new one with a new Idempotency-Key"
                    .to_owned(),
            ),
        })?,
        shown_once: Some(encode(LoginLinkView {
            url: Some(format!("{home}/?aipress_login={token}")),
            expires_at,
            notice: None,
        })?),
        tenant: Some(current.uid),
        operation: None,
    };
    scope.commit(change, &answer).await?;
    Ok(answer)
}

fn expiry(now: OffsetDateTime) -> OffsetDateTime {
    let at = now + Duration::seconds(i64::try_from(LOGIN_LINK_TTL_S).unwrap_or(i64::MAX));
    // The shard is told whole seconds.
    at.replace_nanosecond(0).unwrap_or(at)
}

async fn serving_shard(scope: &Scope, tenant: &TenantRecord) -> Result<ShardRecord, ApiError> {
    if tenant.state != TenantState::Active || tenant.desired != DesiredState::Active {
        return Err(ApiError::new(
            &codes::INVALID_STATE,
            format!(
                "`{}` is {}: only an active site can be signed in to",
                tenant.name, tenant.state
            ),
        ));
    }
    let shard = match tenant.shard {
        Some(id) => scope.plane.store.shard_fetch(id).await?,
        None => None,
    };
    shard.ok_or_else(|| ApiError::new(&codes::SHARD_UNAVAILABLE, "the site has no shard"))
}

fn refused(tenant: &TenantRecord, error: &ShardCallError) -> ApiError {
    tracing::warn!(tenant.uid = %tenant.uid, %error, "login token refused");
    match error {
        ShardCallError::Refused { status: 404 | 409 | 422, detail, .. } => {
            ApiError::new(&codes::INVALID_STATE, format!("`{}`: {detail}", tenant.name))
        }
        _ => ApiError::new(
            &codes::SHARD_UNAVAILABLE,
            format!("the shard of `{}` does not answer: try again in a moment", tenant.name),
        )
        .with_header(http::header::RETRY_AFTER, "2"),
    }
}
