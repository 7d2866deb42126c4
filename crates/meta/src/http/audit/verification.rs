//! `GET /v1/audit/verification`.

use std::sync::Arc;
use std::time::Duration;

use aipress_api::AuditVerificationView;
use aipress_store::AuditHead;
use axum::extract::State;
use axum::response::Response;
use http::header;

use crate::app;
use crate::codes;
use crate::http::query::Params;
use crate::http::query::invalid;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::policy::visible_accounts;
use crate::problem::ApiError;

/// Longest wait for the end of another look: a million rows take some seconds.
const TURN: Duration = Duration::from_secs(60);

/// Look whether audit rows are as they were written.
///
/// Every row of the chains that the caller may see: whether one was changed, is missing, was added, or
/// was cut off at the end; and whether it is what checkpoints were signed for. One look at a time.
#[utoipa::path(
    get,
    path = "/v1/audit/verification",
    tag = "audit",
    operation_id = "audit_verify",
    params(
        ("account" = Option<String>, Query,
         description = "Only of this account, or `platform` for rows of no account"),
        ("anchor" = Option<String>, Query,
         description = "What is known of a place in that account's chain, as `SEQ:LINK`; with `account`"),
    ),
    responses((status = 200, description = "What was found", body = AuditVerificationView))
)]
pub(crate) async fn verification(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::AuditVerify, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "audit"))?;
    params.only(&["account", "anchor"])?;
    let visible = visible_accounts(&caller)
        .map(|accounts| accounts.iter().map(ToString::to_string).collect::<Vec<_>>());
    let chains = match params.one("account")? {
        None => visible,
        Some(one) if visible.as_ref().is_none_or(|all| all.iter().any(|other| other == one)) => {
            Some(vec![one.to_owned()])
        }
        Some(other) => return Err(ApiError::not_found("account", other)),
    };
    let anchor = anchor(&params)?;
    let turn = tokio::time::timeout(TURN, plane.verifications.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        let detail = "another look at the audit log is under way: try again when it is over";
        return Err(
            ApiError::new(&codes::TOO_MANY_STREAMS, detail).with_header(header::RETRY_AFTER, "10")
        );
    };
    let mut file = app::audit::checkpoints(&plane).await?;
    file.anchors.extend(anchor);
    let seen = plane.store.audit_verify(chains.as_deref(), &file.anchors).await?;
    if let (Some([one]), true) = (chains.as_deref(), seen.heads.is_empty() && seen.faults == 0)
        && params.one("account")?.is_some()
    {
        return Err(ApiError::not_found("account", one));
    }
    reply::ok(&app::audit::verification(seen, file))
}

/// What the caller knows of a place.
fn anchor(params: &Params) -> Result<Option<AuditHead>, ApiError> {
    let Some(text) = params.one("anchor")? else { return Ok(None) };
    let chain = params.one("account")?;
    let chain = chain.ok_or_else(|| invalid("`anchor` is of one chain: say `account`, too"))?;
    let wrong = || invalid("`anchor` is `SEQ:LINK`, a number and 64 hex digits");
    let (seq, hex) = text.split_once(':').ok_or_else(wrong)?;
    let mut link = [0; 32];
    hex::decode_to_slice(hex, &mut link).map_err(|_| wrong())?;
    let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or_else(wrong)?;
    Ok(Some(AuditHead { chain: chain.to_owned(), seq, link }))
}
