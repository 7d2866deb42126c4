//! An import: announced, uploaded in pieces, looked at, then a tenant that is made of it.

use std::io;

use aipress_api::ImportComplete;
use aipress_api::ImportCreate;
use aipress_api::ImportView;
use aipress_archive::ArchiveError;
use aipress_archive::Level;
use aipress_archive::Report;
use aipress_store::ImportRecord;
use aipress_store::ImportState;
use aipress_store::StoreError;
use aipress_types::AccountId;
use aipress_types::FieldError;
use aipress_types::TenantMetadata;
use aipress_types::TenantName;
use aipress_types::TenantSpec;
use time::Duration;
use uuid::Uuid;

use crate::app::plan::planner::Noted;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::app::tenant::create;
use crate::app::transfer::IMPORT;
use crate::app::transfer::document::spec_of;
use crate::app::transfer::look::Looked;
use crate::app::transfer::spool::IMPORTS_MAX;
use crate::change::Change;
use crate::codes;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// How long an upload is waited for, in all and for its next byte.
const KEPT: Duration = Duration::hours(24);
const PAUSE: Duration = Duration::hours(1);
/// A pause after which an upload makes room for another of its account: who sends one is either
/// busy with it, or gone.
const PAUSE_IN_NEED: Duration = Duration::minutes(10);
/// An end is put off by no less: not with every piece.
const PUT_OFF: Duration = Duration::minutes(1);
/// Findings that a refusal lists.
const ERRORS_MAX: usize = 20;

/// An import on the wire.
pub(crate) fn view(plane: &Plane, import: &ImportRecord) -> ImportView {
    ImportView {
        id: import.id,
        name: import.name.clone(),
        state: import.state.as_str().to_owned(),
        offset: plane.spool.size(import.id).unwrap_or(0),
        report: import.report.clone(),
        tenant_uid: import.tenant.map(|uid| uid.0),
        message: import.message.clone(),
        created_at: import.created_at,
        expires_at: import.expires_at,
    }
}

fn answer(plane: &Plane, status: u16, import: &ImportRecord) -> Result<Answer, ApiError> {
    let body = serde_json::to_value(view(plane, import))
        .map_err(|error| ApiError::internal("encode import", &error))?;
    Ok(Answer { status, body, shown_once: None, tenant: import.tenant, operation: None })
}

/// Announces an import. The name is looked at now and taken once the archive is there.
pub(crate) async fn announce(scope: &Scope, body: ImportCreate) -> Result<Answer, ApiError> {
    let plane = &scope.plane;
    let spec = body.spec.clone().unwrap_or_default();
    let (name, account, _) = checked(scope, &body.name, body.account, spec)?;
    let mut change = Change::begin(plane).await?;
    create::check_free(scope, &mut change, &name).await?;
    let given_up = make_room(plane, &mut change, account).await?;
    let import = ImportRecord {
        id: Uuid::new_v4(),
        account,
        actor: scope.origin.actor.clone(),
        name: body.name,
        spec: body.spec,
        state: ImportState::Uploading,
        source: None,
        report: None,
        wordpress_version: None,
        tenant: None,
        operation: None,
        message: None,
        created_at: change.now,
        expires_at: change.now + PAUSE,
    };
    change.txn.import_put(&import).await?;
    change.noted.push(Noted {
        after: Some(serde_json::json!({ "import": { "name": import.name, "spec": import.spec } })),
        ..noted("import.create", &import)
    });
    let answer = answer(plane, 201, &import)?;
    scope.commit(change, &answer).await?;
    if let Some(id) = given_up.filter(|_| scope.dry_run.is_none()) {
        forget(plane, id)?;
    }
    Ok(answer)
}

/// Sees to it that the account has a place for one more upload: one that has paused for long, if
/// it must be, is given up.
async fn make_room(
    plane: &Plane,
    change: &mut Change<'_>,
    account: AccountId,
) -> Result<Option<Uuid>, ApiError> {
    let mut open = change.txn.imports_in(ImportState::Uploading).await?;
    open.retain(|import| import.account == account);
    if open.len() < IMPORTS_MAX {
        return Ok(None);
    }
    let paused = |import: &&ImportRecord| {
        import.expires_at - PAUSE + PAUSE_IN_NEED <= change.now
            && !plane.spool.is_written(import.id)
    };
    if let Some(import) = open.iter().filter(paused).min_by_key(|import| import.expires_at) {
        tracing::info!(import = %import.id, "an upload that does not go on makes room for another");
        change.txn.import_remove(import.id).await?;
        return Ok(Some(import.id));
    }
    let ids: Vec<String> =
        open.iter().map(|import| format!("{} ({})", import.id, import.name)).collect();
    Err(ApiError::new(
        &codes::INVALID_STATE,
        format!(
            "{IMPORTS_MAX} imports of this account are under way: end one, delete one \
             (DELETE /v1/imports/ID), or wait until one has paused for {} minutes: {}",
            PAUSE_IN_NEED.whole_minutes(),
            ids.join(", ")
        ),
    ))
}

/// Puts off the end of an upload that goes on.
pub(crate) async fn put_off(plane: &Plane, id: Uuid) -> Result<(), StoreError> {
    let mut change = Change::begin(plane).await?;
    let Some(mut import) = change.txn.import_fetch(id).await? else { return Ok(()) };
    let end = (change.now + PAUSE).min(import.created_at + KEPT);
    if import.state != ImportState::Uploading || end < import.expires_at + PUT_OFF {
        return Ok(());
    }
    import.expires_at = end;
    change.txn.import_put(&import).await?;
    change.commit().await
}

/// Forgets what arrived of an upload.
fn forget(plane: &Plane, id: Uuid) -> Result<(), ApiError> {
    plane.looks.forget(id);
    plane.spool.remove(id).map_err(|error| ApiError::internal("remove upload", &error))
}

/// The site to be made, checked as any new one.
fn checked(
    scope: &Scope,
    name: &str,
    account: Option<AccountId>,
    spec: TenantSpec,
) -> Result<(TenantName, AccountId, create::Checked), ApiError> {
    let errors = spec.check("/spec");
    let metadata = TenantMetadata::default();
    create::checked(scope, create::NewTenant { name, account, metadata, spec, base: "" }, errors)
}

/// The import of this id, if the caller may have it.
pub(crate) async fn find(
    plane: &Plane,
    caller: &Caller,
    id: &str,
) -> Result<ImportRecord, ApiError> {
    let found = match id.parse() {
        Ok(id) => plane.store.import_fetch(id).await?,
        Err(_) => None,
    };
    let found = found.ok_or_else(|| ApiError::not_found("import", id))?;
    authorize(caller, Action::ImportRead, Resource::Account(found.account))
        .map_err(|_| ApiError::not_found("import", id))?;
    Ok(found)
}

/// Gives up an upload.
pub(crate) async fn remove(scope: &Scope, id: &str) -> Result<Answer, ApiError> {
    let import = find(&scope.plane, &scope.caller, id).await?;
    check_uploading(&import)?;
    let mut change = Change::begin(&scope.plane).await?;
    change.txn.import_remove(import.id).await?;
    let bytes = scope.plane.spool.size(import.id).unwrap_or(0);
    let before = serde_json::json!({ "id": import.id, "name": import.name, "bytes": bytes });
    change.noted.push(Noted { before: Some(before), ..noted("import.delete", &import) });
    let answer = answer(&scope.plane, 200, &import)?;
    scope.commit(change, &answer).await?;
    if scope.dry_run.is_some() {
        return Ok(answer);
    }
    forget(&scope.plane, import.id)?;
    Ok(answer)
}

/// What a plan tells of an import.
pub(crate) fn noted(action: &str, import: &ImportRecord) -> Noted {
    let name = match action {
        "import.create" => import.name.clone(),
        _ => import.id.to_string(),
    };
    Noted { action: action.to_owned(), kind: "import", name, ..Noted::default() }
}

/// Refuses what is no longer an upload.
pub(crate) fn check_uploading(import: &ImportRecord) -> Result<(), ApiError> {
    if import.state == ImportState::Uploading {
        return Ok(());
    }
    let state = import.state.as_str();
    Err(ApiError::new(
        &codes::INVALID_STATE,
        format!("the import is {state}: it takes no more data"),
    ))
}

/// Looks at the archive, and makes a tenant of it.
pub(crate) async fn complete(
    scope: &Scope,
    id: &str,
    body: ImportComplete,
) -> Result<Answer, ApiError> {
    let plane = &scope.plane;
    let mut import = find(plane, &scope.caller, id).await?;
    check_uploading(&import)?;
    let Some(_turn) = plane.spool.turn(import.id) else {
        return Err(ApiError::new(&codes::INVALID_STATE, "somebody uploads to it right now"));
    };
    let mut looked = look(plane, import.id).await?;
    if body.sha256.as_ref().is_some_and(|told| !told.eq_ignore_ascii_case(&looked.sha256)) {
        return Err(refused(
            "/sha256",
            format!("what arrived has the SHA-256 {}: upload it again", looked.sha256),
        ));
    }
    let spec = import.spec.clone().unwrap_or_else(|| {
        let (spec, found) = spec_of(looked.document.as_deref());
        found.into_iter().for_each(|finding| looked.report.add(finding));
        spec
    });
    import.wordpress_version.clone_from(&looked.report.wordpress_version);
    let report = serde_json::to_value(&looked.report).ok();
    let known = std::mem::replace(&mut import.report, report);
    if body.check_only {
        let mut change = Change::begin(plane).await?;
        change.txn.import_put(&import).await?;
        change.noted.push(Noted {
            before: Some(serde_json::json!({ "report": known })),
            after: Some(serde_json::json!({ "report": import.report })),
            made_from: Some(serde_json::json!({ "id": import.id, "sha256": looked.sha256 })),
            ..noted("import.check", &import)
        });
        let answer = answer(plane, 200, &import)?;
        scope.commit(change, &answer).await?;
        return Ok(answer);
    }
    if !looked.report.is_fine() {
        return Err(not_fine(&looked.report));
    }
    let (name, account, checked) = checked(scope, &import.name, Some(import.account), spec)?;
    let mut change = Change::begin(plane).await?;
    let (made, operation) =
        create::record(scope, &mut change, name, account, checked, IMPORT).await?;
    if let Some(noted) = change.noted.last_mut() {
        noted.made_from = Some(serde_json::json!({ "id": import.id, "sha256": looked.sha256 }));
    }
    import.state = ImportState::Building;
    (import.tenant, import.operation) = (Some(made.uid), Some(operation));
    change.txn.import_put(&import).await?;
    let answer = tenant::answer(&mut change, 202, &made, operation).await?;
    scope.commit(change, &answer).await?;
    plane.transfers.notify_one();
    Ok(answer)
}

async fn look(plane: &Plane, id: Uuid) -> Result<Looked, ApiError> {
    let fault = |error: io::Error| ApiError::internal("read upload", &error);
    let bytes = plane.spool.size(id).map_err(fault)?;
    if bytes == 0 {
        return Err(refused("/archive", "nothing was uploaded yet".to_owned()));
    }
    let looked = plane.looks.finish(id, plane.spool.path(id), bytes).await;
    looked.map_err(|error| match error {
        ArchiveError::Io(error) => fault(error),
        other => refused("/archive", other.to_string()),
    })
}

fn refused(pointer: &str, detail: String) -> ApiError {
    ApiError::field(pointer, detail)
}

fn not_fine(report: &Report) -> ApiError {
    let errors = report
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .take(ERRORS_MAX)
        .map(|finding| FieldError::new("/archive", finding.message.clone()));
    ApiError::fields(errors.collect())
}
