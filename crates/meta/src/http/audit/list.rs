//! `GET /v1/audit`.

use std::sync::Arc;

use aipress_api::AuditView;
use aipress_api::Page;
use aipress_store::AuditCursor;
use aipress_store::AuditFilter;
use aipress_store::PageRequest;
use axum::extract::State;
use axum::response::Response;

use crate::app;
use crate::app::tenant;
use crate::http::cursor;
use crate::http::query::Params;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::policy::visible_accounts;
use crate::problem::ApiError;

const KNOWN: &[&str] = &["tenant", "actor", "action", "since", "until", "limit", "cursor"];

/// List audit rows, newest first.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "audit",
    operation_id = "audit_list",
    params(
        ("tenant" = Option<String>, Query, description = "Only of this site (name or uid)"),
        ("actor" = Option<String>, Query, description = "Only by this actor, such as user:<uuid>"),
        ("action" = Option<String>, Query, description = "Only this action"),
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
    let tenant = match params.one("tenant")? {
        Some(id) => Some(tenant::find(&plane, &caller, Action::TenantRead, id).await?.uid),
        None => None,
    };
    let filter = AuditFilter {
        accounts: visible_accounts(&caller),
        resource_kind: tenant.map(|_| "tenant".to_owned()),
        resource_id: tenant.map(|uid| uid.to_string()),
        actor: params.one("actor")?.map(str::to_owned),
        action: params.one("action")?.map(str::to_owned),
        since: params.time("since")?,
        until: params.time("until")?,
    };
    let found = plane.store.audit_list(&filter, &page).await?;
    let items = found.items.into_iter().map(app::audit::view).collect();
    reply::page(items, found.next.and_then(|next| cursor::encode(binding, &next)))
}
