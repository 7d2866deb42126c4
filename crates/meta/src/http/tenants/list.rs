//! `GET /v1/tenants`.

use std::sync::Arc;

use aipress_api::Page;
use aipress_api::TenantView;
use aipress_store::PageRequest;
use aipress_store::SortDirection;
use aipress_store::TenantCursor;
use aipress_store::TenantFilter;
use aipress_store::TenantSort;
use aipress_store::TenantSortKey;
use aipress_types::AccountId;
use aipress_types::metadata::is_label_name;
use aipress_types::metadata::is_label_value;
use axum::extract::State;
use axum::response::Response;

use crate::app::tenant;
use crate::http::cursor;
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

const KNOWN: &[&str] =
    &["state", "tier", "region", "shard", "account", "label", "q", "sort", "limit", "cursor"];

/// List sites.
///
/// Those of the caller's account; a platform-admin sees all. Erased ones only with
/// `state=erased`.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    tag = "tenants",
    operation_id = "tenant_list",
    params(
        ("state" = Option<String>, Query, description = "Only these states, with commas"),
        ("tier" = Option<String>, Query, description = "Only this tier"),
        ("region" = Option<String>, Query, description = "Only on shards of this region"),
        ("shard" = Option<String>, Query, description = "Only on this shard"),
        ("account" = Option<String>, Query, description = "Only of this account"),
        ("label" = Option<String>, Query,
         description = "Only those with this label, `name=value`; several with commas"),
        ("q" = Option<String>, Query, description = "Only names that start with this"),
        ("sort" = Option<String>, Query,
         description = "`name`, `createdAt` or `updatedAt`, with `-` in front for descending"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "A page of sites", body = Page<TenantView>))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::TenantList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "tenants"))?;
    params.only(KNOWN)?;
    let binding = params.binding("tenants");
    let page = PageRequest {
        limit: params.limit()?,
        after: cursor::decode::<TenantCursor>(&params, binding)?,
    };
    let filter = TenantFilter {
        accounts: accounts(&caller, params.parsed("account")?),
        states: params.all("state", |text| text.parse())?,
        tier: params.parsed("tier")?,
        region: params.one("region")?.map(str::to_owned),
        shard: params.parsed("shard")?,
        labels: params.all("label", label)?,
        name_prefix: params.one("q")?.map(str::to_owned),
        name_contains: None,
    };
    let found = plane.store.tenant_list(&filter, sort(&params)?, &page).await?;
    let items = found.items.iter().map(|tenant| tenant::view(tenant, &plane.sites)).collect();
    reply::page(items, found.next.and_then(|next| cursor::encode(binding, &next)))
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if is_label_name(name) && is_label_value(value) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(format!("`{text}` is no label such as team=shops")),
    }
}

/// The wanted account, if it is among those that the caller sees; none at all otherwise.
fn accounts(caller: &Caller, wanted: Option<AccountId>) -> Option<Vec<AccountId>> {
    match (visible_accounts(caller), wanted) {
        (visible, None) => visible,
        (None, Some(wanted)) => Some(vec![wanted]),
        (Some(visible), Some(wanted)) => {
            Some(visible.into_iter().filter(|account| *account == wanted).collect())
        }
    }
}

fn sort(params: &Params) -> Result<TenantSort, ApiError> {
    let text = params.one("sort")?.unwrap_or("name");
    let (direction, key) = match text.strip_prefix('-') {
        Some(key) => (SortDirection::Descending, key),
        None => (SortDirection::Ascending, text),
    };
    let key = match key {
        "name" => TenantSortKey::Name,
        "createdAt" => TenantSortKey::Created,
        "updatedAt" => TenantSortKey::Updated,
        _ => return Err(invalid("`sort` is name, createdAt or updatedAt, or with `-` in front")),
    };
    Ok(TenantSort { key, direction })
}
