//! `GET /v1/packages`.

use std::sync::Arc;

use aipress_api::PackageView;
use aipress_api::Page;
use aipress_store::PackageCursor;
use aipress_store::PackageFilter;
use aipress_store::PageRequest;
use aipress_types::PackageKind;
use axum::extract::State;
use axum::response::Response;

use crate::app::package;
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

const KNOWN: &[&str] = &["kind", "name", "version", "limit", "cursor"];

/// List the mirror's plugins and themes, by name.
#[utoipa::path(
    get,
    path = "/v1/packages",
    tag = "packages",
    operation_id = "package_list",
    params(
        ("kind" = Option<PackageKind>, Query, description = "Only plugins, or only themes"),
        ("name" = Option<String>, Query, description = "Only of this name"),
        ("version" = Option<String>, Query, description = "Only of this version"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "A page of archives", body = Page<PackageView>))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::PackageList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "packages"))?;
    params.only(KNOWN)?;
    let binding = params.binding("packages");
    let page = PageRequest {
        limit: params.limit()?,
        after: cursor::decode::<PackageCursor>(&params, binding)?,
    };
    let accounts = visible_accounts(&caller);
    let filter = PackageFilter {
        accounts: accounts.clone(),
        kind: params.parsed("kind")?,
        name: params.one("name")?.map(str::to_owned),
        version: params.one("version")?.map(str::to_owned),
    };
    let found = plane.store.package_list(&filter, &page).await?;
    let items =
        found.items.iter().map(|record| package::view(record, accounts.as_deref())).collect();
    reply::page(items, found.next.and_then(|next| cursor::encode(binding, &next)))
}
