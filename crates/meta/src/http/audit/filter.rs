//! Which audit rows are wanted, as a query says it.

use aipress_store::AuditFilter;

use crate::app::tenant;
use crate::http::query::Params;
use crate::http::query::invalid;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::visible_accounts;
use crate::problem::ApiError;

/// Longest text that is looked for, in characters.
const TEXT_MAX: usize = 100;

/// The filter of a query, cut to what the caller may see.
pub(crate) async fn of(
    plane: &Plane,
    caller: &Caller,
    params: &Params,
) -> Result<AuditFilter, ApiError> {
    let tenant = match params.one("tenant")? {
        Some(id) => Some(tenant::find(plane, caller, Action::TenantRead, id).await?.uid),
        None => None,
    };
    let text = params.one("q")?;
    if text.is_some_and(|text| !(1..=TEXT_MAX).contains(&text.chars().count())) {
        return Err(invalid(format!("`q` has 1 to {TEXT_MAX} characters")));
    }
    Ok(AuditFilter {
        accounts: visible_accounts(caller),
        resource_kind: tenant.map(|_| "tenant".to_owned()),
        resource_id: tenant.map(|uid| uid.to_string()),
        actor: params.one("actor")?.map(str::to_owned),
        action: params.one("action")?.map(str::to_owned),
        request_id: params.one("requestId")?.map(str::to_owned),
        text: text.map(str::to_owned),
        since: params.time("since")?,
        until: params.time("until")?,
    })
}
