//! An export: recorded here, written by the site's shard, followed by a reconciler.

use aipress_api::ExportAccepted;
use aipress_api::ExportView;
use aipress_api::internal::ExportBegin;
use aipress_api::internal::ExportStatus;
use aipress_store::ExportRecord;
use aipress_store::ExportState;
use aipress_store::TenantRecord;
use aipress_types::OperationId;
use aipress_types::TenantState;
use time::Duration;
use uuid::Uuid;

use crate::app::operation;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::app::transfer::EXPORT;
use crate::change::Change;
use crate::change::Note;
use crate::codes;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// How long a shard keeps an archive.
const KEPT: Duration = Duration::hours(24);

/// An export on the wire.
pub(crate) fn view(export: &ExportRecord) -> ExportView {
    let status: ExportStatus = serde_json::from_value(export.status.clone()).unwrap_or_default();
    ExportView {
        id: export.id,
        tenant_uid: export.tenant.0,
        tenant_name: export.tenant_name.clone(),
        state: export.state.as_str().to_owned(),
        attempt: status.attempt,
        bytes: status.bytes,
        done: status.done,
        total: status.total,
        crc32: status.crc32,
        message: status.message,
        notes: status.notes,
        created_at: export.created_at,
        expires_at: export.expires_at,
    }
}

/// Begins an export of the tenant that `id` means.
pub(crate) async fn begin(scope: &Scope, id: &str) -> Result<Answer, ApiError> {
    let mut change = Change::begin(&scope.plane).await?;
    let site = tenant::find_in(&mut change, &scope.caller, Action::TenantExport, id).await?;
    let running = change.txn.exports_running().await?;
    if running.iter().any(|export| export.tenant == site.uid && export.operation.is_some()) {
        return Err(ApiError::new(
            &codes::INVALID_STATE,
            format!("`{}` is being exported already: wait for that, or download it", site.name),
        ));
    }
    let operation = operation::begin_beside(&mut change, &scope.origin, EXPORT, &site).await?;
    let export = record(&mut change, &scope.origin.actor, &site, Some(operation)).await?;
    let note = Note { action: EXPORT, before: None, after: None };
    change.note_tenant(&scope.origin, &site, note).await?;
    if let Some(noted) = change.noted.last_mut() {
        let archive = serde_json::json!({ "of": site.name, "keptHours": KEPT.whole_hours() });
        noted.after = Some(serde_json::json!({ "export": archive }));
        noted.made_from = tenant::made_from(&site);
    }
    let Some(operation) = change.txn.operation_fetch(operation).await? else {
        return Err(ApiError::internal("operation", &std::io::Error::other("is not there")));
    };
    let body = ExportAccepted { export: view(&export), operation: operation::view(&operation) };
    let answer = Answer {
        status: 202,
        body: serde_json::to_value(body)
            .map_err(|error| ApiError::internal("encode export", &error))?,
        shown_once: None,
        tenant: Some(site.uid),
        operation: Some(operation.id),
    };
    scope.commit(change, &answer).await?;
    scope.plane.transfers.notify_one();
    Ok(answer)
}

/// Records an export of a site that has something to export.
pub(super) async fn record(
    change: &mut Change<'_>,
    actor: &str,
    site: &TenantRecord,
    operation: Option<OperationId>,
) -> Result<ExportRecord, ApiError> {
    let whole = matches!(site.state, TenantState::Active | TenantState::Suspended);
    let Some(shard) = site.shard.filter(|_| whole) else {
        return Err(ApiError::new(
            &codes::INVALID_STATE,
            format!(
                "`{}` is {}: only a site that is active or suspended can be exported",
                site.name, site.state
            ),
        ));
    };
    let export = ExportRecord {
        id: Uuid::new_v4(),
        tenant: site.uid,
        tenant_name: site.name.to_string(),
        account: site.account,
        actor: actor.to_owned(),
        shard,
        operation,
        state: ExportState::Running,
        status: serde_json::json!(ExportStatus::default()),
        created_at: change.now,
        finished_at: None,
        expires_at: change.now + KEPT,
    };
    change.txn.export_put(&export).await?;
    Ok(export)
}

/// The export of this id, if the caller may have it.
pub(crate) async fn find(
    plane: &Plane,
    caller: &Caller,
    id: &str,
) -> Result<ExportRecord, ApiError> {
    let found = match id.parse() {
        Ok(id) => plane.store.export_fetch(id).await?,
        Err(_) => None,
    };
    let found = found.ok_or_else(|| ApiError::not_found("export", id))?;
    authorize(caller, Action::ExportRead, Resource::Account(found.account))
        .map_err(|_| ApiError::not_found("export", id))?;
    Ok(found)
}

/// What the shard is told to write.
pub(crate) fn begin_of(plane: &Plane, site: &TenantRecord) -> ExportBegin {
    let mut view = tenant::view(site, &plane.sites);
    view.message = None;
    let document = serde_json::json!({
        "apiVersion": "aipress.io/v1",
        "kind": "Tenant",
        "metadata": { "name": view.name },
        "spec": view.spec,
    });
    ExportBegin {
        tenant: site.uid,
        document: serde_yaml_ng::to_string(&document).unwrap_or_default(),
        platform_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
