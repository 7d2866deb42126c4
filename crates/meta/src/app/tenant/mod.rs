//! Tenants: how they are found and seen; each change has a file of its own.

pub(crate) mod create;
pub(crate) mod document;
pub(crate) mod erase_due;
pub(crate) mod put;
pub(crate) mod rotate_secrets;
pub(crate) mod transition;
pub(crate) mod update;

use aipress_api::Accepted;
use aipress_api::TenantView;
use aipress_store::TenantRecord;
use aipress_store::TenantRef;
use aipress_types::FieldError;
use aipress_types::OperationId;
use aipress_types::TenantSpec;
use serde_json::Value;

use crate::app::operation;
use crate::app::scope::Answer;
use crate::change::Change;
use crate::config::SiteUrls;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// A tenant on the wire.
pub(crate) fn view(tenant: &TenantRecord, sites: &SiteUrls) -> TenantView {
    TenantView {
        uid: tenant.uid.0,
        name: tenant.name.to_string(),
        account: tenant.account.0,
        metadata: tenant.metadata.clone(),
        state: tenant.state,
        desired: tenant.desired,
        spec: tenant.spec.clone(),
        generation: tenant.generation,
        observed_generation: tenant.observed_generation,
        placement_epoch: tenant.placement_epoch,
        shard: tenant.shard.map(|shard| shard.to_string()),
        slot: tenant.slot,
        url: sites.home(tenant.name.as_str()),
        wordpress_version: tenant
            .observed
            .as_ref()
            .and_then(|observed| observed.wordpress_version.clone()),
        message: tenant.message.clone(),
        etag: tenant.etag.clone(),
        created_at: tenant.created_at,
        updated_at: tenant.updated_at,
        deleted_at: tenant.deleted_at,
    }
}

/// The same as it goes into audit rows.
pub(crate) fn audited(tenant: &TenantRecord, sites: &SiteUrls) -> Option<Value> {
    serde_json::to_value(view(tenant, sites)).ok()
}

/// Complaints about what is asked for and not on the platform's machines.
pub(crate) fn check_installed(plane: &Plane, spec: &TenantSpec) -> Vec<FieldError> {
    let Some(asked) = spec.php.version.as_ref().filter(|asked| Some(*asked) != plane.php.as_ref())
    else {
        return Vec::new();
    };
    let there = match &plane.php {
        Some(there) => format!("PHP {there} is: ask for that, or leave it out"),
        None => "leave it out to have the one that is".to_owned(),
    };
    vec![FieldError::new(
        "/spec/php/version",
        format!("PHP {asked} is not installed here; {there}"),
    )]
}

/// What a plan about it was made from, where the plan does not show it before and after.
pub(crate) fn made_from(tenant: &TenantRecord) -> Option<Value> {
    Some(serde_json::json!({
        "uid": tenant.uid,
        "generation": tenant.generation,
        "state": tenant.state,
        "desired": tenant.desired,
    }))
}

/// What `{id}` of a path means: a uid, or the name of a tenant that is not erased. `None` when no
/// tenant can be called so.
pub(crate) fn reference(id: &str) -> Option<TenantRef> {
    // A uid wins: no tenant gets a name of that form (`create` refuses it).
    if let Ok(uid) = id.parse() {
        return Some(TenantRef::Uid(uid));
    }
    id.parse().ok().map(TenantRef::Name)
}

/// The tenant that `id` means, if the caller may do `action` on it.
pub(crate) async fn find(
    plane: &Plane,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<TenantRecord, ApiError> {
    let found = match reference(id) {
        Some(reference) => plane.store.tenant_fetch(&reference).await?,
        None => None,
    };
    permitted(found, caller, action, id)
}

/// The same under the write lock of a change.
pub(crate) async fn find_in(
    change: &mut Change<'_>,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<TenantRecord, ApiError> {
    let found = match reference(id) {
        Some(reference) => change.txn.tenant_fetch(&reference).await?,
        None => None,
    };
    permitted(found, caller, action, id)
}

fn permitted(
    found: Option<TenantRecord>,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<TenantRecord, ApiError> {
    let Some(tenant) = found else {
        return Err(ApiError::not_found("tenant", id));
    };
    authorize(caller, action, Resource::Tenant(&tenant))
        .map_err(|denied| denied.into_error("tenant", id))?;
    Ok(tenant)
}

/// The answer to a change: the tenant as it is recorded, and the operation to follow.
pub(crate) async fn answer(
    change: &mut Change<'_>,
    status: u16,
    tenant: &TenantRecord,
    operation: OperationId,
) -> Result<Answer, ApiError> {
    let Some(record) = change.txn.operation_fetch(operation).await? else {
        return Err(ApiError::internal(
            "operation just written",
            &std::io::Error::other("is not there"),
        ));
    };
    let body =
        Accepted { tenant: view(tenant, &change.plane.sites), operation: operation::view(&record) };
    Ok(Answer {
        status,
        body: serde_json::to_value(body)
            .map_err(|error| ApiError::internal("encode tenant", &error))?,
        shown_once: None,
        tenant: Some(tenant.uid),
        operation: Some(operation),
    })
}
