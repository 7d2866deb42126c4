//! `GET /v1/audit`.

use std::sync::Arc;

use aipress_api::AuditView;
use aipress_api::Page;
use aipress_store::AuditCursor;
use aipress_store::PageRequest;
use axum::extract::State;
use axum::response::Response;

use crate::app;
use crate::http::audit::filter;
use crate::http::cursor;
use crate::http::query::Params;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

const KNOWN: &[&str] =
    &["tenant", "actor", "action", "requestId", "q", "since", "until", "limit", "cursor"];

/// List audit rows, newest first.
///
/// With `q`, 50,000 rows are looked through for a page: it may have few rows, or none, and yet a
/// `nextCursor`.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "audit",
    operation_id = "audit_list",
    params(
        ("tenant" = Option<String>, Query, description = "Only of this site (name or uid)"),
        ("actor" = Option<String>, Query, description = "Only by this actor, such as user:<uuid>"),
        ("action" = Option<String>, Query, description = "Only this action"),
        ("requestId" = Option<String>, Query, description = "Only of this request"),
        ("q" = Option<String>, Query,
         description = "Only with this text in name, before, after or reason (1 to 100 characters)"),
        ("since" = Option<String>, Query, description = "Only at or after this time (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Only before this time (RFC 3339)"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "A page of audit rows", body = Page<AuditView>))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::AuditList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "audit"))?;
    params.only(KNOWN)?;
    let binding = params.binding("audit");
    let page = PageRequest {
        limit: params.limit()?,
        after: cursor::decode::<AuditCursor>(&params, binding)?,
    };
    let filter = filter::of(&plane, &caller, &params).await?;
    let found = plane.store.audit_list(&filter, &page).await?;
    let items = found.items.into_iter().map(app::audit::view).collect();
    reply::page(items, found.next.and_then(|next| cursor::encode(binding, &next)))
}
