//! Follows exports to their end, and imports to a site that is there or to nothing at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::Problem;
use aipress_api::internal::ExportPhase;
use aipress_api::internal::ExportStatus;
use aipress_api::paths;
use aipress_store::ExportRecord;
use aipress_store::ExportState;
use aipress_store::ImportRecord;
use aipress_store::ImportState;
use aipress_store::OperationOutcome;
use aipress_store::OperationStepPut;
use aipress_store::StoreError;
use aipress_store::TenantIntentUpdate;
use aipress_store::TenantRecord;
use aipress_store::TenantRef;
use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::StepState;
use aipress_types::TenantState;
use http::Method;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::operation;
use crate::app::tenant;
use crate::app::transfer::export;
use crate::app::transfer::import;
use crate::change::Change;
use crate::change::Note;
use crate::change::Origin;
use crate::codes::OPERATION_FAILED;
use crate::operations::shard_call;
use crate::operations::shard_call::ShardCallError;
use crate::operations::title;
use crate::plane::Plane;

/// Between two looks while something is under way, and while nothing is.
const BUSY: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_secs(5);
/// Between two looks for what is over.
const SWEEP: Duration = Duration::from_secs(600);
/// A shard only looks into its own memory.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a shard may be away from an export: to be started again takes seconds, to be mended by
/// somebody some minutes. Nobody waits for longer.
const AWAY: time::Duration = time::Duration::minutes(15);
/// The one step of an export that the shard does.
const WRITE: &str = "write";

/// Looks until the plane drains.
pub(super) async fn run(plane: Arc<Plane>) {
    let mut swept = None;
    let mut away = Away::default();
    loop {
        if swept.is_none_or(|at: Instant| at.elapsed() > SWEEP) {
            swept = Some(Instant::now());
            if let Err(error) = sweep(&plane).await {
                tracing::warn!(%error, "old exports and imports can't be forgotten yet");
            }
        }
        let busy = match look(&plane, &mut away).await {
            Ok(busy) => busy,
            Err(error) => {
                tracing::warn!(%error, "exports and imports can't be followed; trying again");
                false
            }
        };
        tokio::select! {
            () = plane.lifecycle.drain.cancelled() => return,
            () = plane.transfers.notified() => {}
            () = tokio::time::sleep(if busy { BUSY } else { IDLE }) => {}
        }
    }
}

/// Exports whose shards can't be asked, since when. Kept in memory: after a restart they have as
/// long again.
#[derive(Default)]
struct Away(HashMap<Uuid, OffsetDateTime>);

impl Away {
    /// Whether that of this export is away for too long.
    fn for_too_long(&mut self, export: Uuid, now: OffsetDateTime) -> bool {
        now - *self.0.entry(export).or_insert(now) > AWAY
    }
}

async fn look(plane: &Plane, away: &mut Away) -> Result<bool, StoreError> {
    let running = plane.store.exports_running().await?;
    away.0.retain(|id, _| running.iter().any(|export| export.id == *id));
    for export in &running {
        follow_export(plane, export.clone(), away).await?;
    }
    let mut busy = !running.is_empty();
    for state in [ImportState::Building, ImportState::Removing] {
        for import in plane.store.imports_in(state).await? {
            busy = true;
            follow_import(plane, import).await?;
        }
    }
    Ok(busy)
}

/// Asks the shard how the export is, which begins it where it is not known there.
async fn follow_export(
    plane: &Plane,
    mut export: ExportRecord,
    away: &mut Away,
) -> Result<(), StoreError> {
    let tenant = plane.store.tenant_fetch(&TenantRef::Uid(export.tenant)).await?;
    let shard = plane.store.shard_fetch(export.shard).await?;
    let open = tenant.filter(|site| site.state != TenantState::Erased);
    let (Some(site), Some(shard)) = (open, shard) else {
        return end_export(plane, export, failed("the site is gone")).await;
    };
    let path = format!("{}/{}", paths::SHARD_EXPORTS, export.id);
    let begin = export::begin_of(plane, &site);
    let asked = shard_call::ask(plane, &shard.address, Method::PUT, &path, &begin, TIMEOUT).await;
    let status: ExportStatus = match asked {
        Ok(status) => status,
        Err(error) if may_pass(&error) => {
            if !away.for_too_long(export.id, plane.clock.now()) {
                tracing::debug!(export = %export.id, %error, "shard can't be asked for an export");
                return Ok(());
            }
            let minutes = AWAY.whole_minutes();
            failed(&format!("its shard could not be asked for {minutes} minutes: {error}"))
        }
        Err(ShardCallError::Refused { status, detail }) if detail.trim().is_empty() => {
            failed(&format!("its shard refused it with status {status}, and gave no reason"))
        }
        Err(ShardCallError::Refused { detail, .. }) => failed(&detail),
        Err(error) => failed(&format!("its shard can't be asked: {error}")),
    };
    away.0.remove(&export.id);
    if status.phase != ExportPhase::Running {
        return end_export(plane, export, status).await;
    }
    let told = serde_json::json!(status);
    if told == export.status {
        return Ok(());
    }
    export.status = told;
    let mut change = Change::begin(plane).await?;
    change.txn.export_put(&export).await?;
    step(&mut change, &export, StepState::Running, Some(progress(&status))).await?;
    change.commit().await
}

/// Whether asking again may help: the shard is away, starts, or has no room at the moment to begin.
fn may_pass(error: &ShardCallError) -> bool {
    match error {
        ShardCallError::Transport(_) => true,
        ShardCallError::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
        ShardCallError::Request(_) | ShardCallError::Encode(_) => false,
    }
}

fn failed(message: &str) -> ExportStatus {
    ExportStatus {
        phase: ExportPhase::Failed,
        message: Some(message.to_owned()),
        ..ExportStatus::default()
    }
}

fn progress(status: &ExportStatus) -> String {
    let mb = |bytes: u64| bytes / 1_000_000;
    let total = status.total.max(status.done);
    format!("{} of {} MB read, {} MB written", mb(status.done), mb(total), mb(status.bytes))
}

async fn step(
    change: &mut Change<'_>,
    export: &ExportRecord,
    state: StepState,
    message: Option<String>,
) -> Result<(), StoreError> {
    let Some(id) = export.operation else { return Ok(()) };
    let took = (change.now - export.created_at).whole_milliseconds();
    let ended = state != StepState::Running;
    let put = OperationStepPut {
        name: WRITE.to_owned(),
        title: Some(title("tenant.export", WRITE).to_owned()),
        state,
        started_at: Some(export.created_at),
        finished_at: ended.then_some(change.now),
        duration_ms: ended.then(|| u64::try_from(took).unwrap_or(0)),
        message,
    };
    if change.txn.operation_step_put(id, &put).await? {
        operation::record_event(change, id, operation::EVENT_STEP).await?;
    }
    Ok(())
}

async fn end_export(
    plane: &Plane,
    mut export: ExportRecord,
    mut status: ExportStatus,
) -> Result<(), StoreError> {
    let done = status.phase == ExportPhase::Done;
    if !done && status.message.as_deref().is_none_or(|message| message.trim().is_empty()) {
        status.message = Some("its shard gave no reason; the log of the shard has more".to_owned());
    }
    export.state = if done { ExportState::Done } else { ExportState::Failed };
    export.status = serde_json::json!(status);
    let mut change = Change::begin(plane).await?;
    export.finished_at = Some(change.now);
    change.txn.export_put(&export).await?;
    if let Some(id) = export.operation
        && let Some(record) = change.txn.operation_fetch(id).await?
    {
        let message = status.message.clone().unwrap_or_default();
        let (state, outcome) = if done {
            let result = serde_json::json!({ "export": export.id });
            (StepState::Succeeded, OperationOutcome::Succeeded(Some(result)))
        } else {
            (StepState::Failed, OperationOutcome::Failed(problem(&message)))
        };
        step(&mut change, &export, state, status.message).await?;
        operation::end(&mut change, &record, &outcome).await?;
    }
    change.commit().await
}

fn problem(detail: &str) -> serde_json::Value {
    let code = OPERATION_FAILED;
    let problem = Problem::new(code.status, code.code, code.title, detail);
    serde_json::to_value(problem).unwrap_or_default()
}

/// Looks whether an import's site is there, or what is left of it.
async fn follow_import(plane: &Plane, import: ImportRecord) -> Result<(), StoreError> {
    let Some(uid) = import.tenant else { return Ok(()) };
    let Some(site) = plane.store.tenant_fetch(&TenantRef::Uid(uid)).await? else { return Ok(()) };
    let converged =
        site.observed.as_ref().is_some_and(|seen| seen.phase == ObservedPhase::Converged)
            && site.observed_generation == site.generation;
    match (import.state, site.state) {
        (_, TenantState::Erased) => over(plane, import, &site, ImportState::Failed).await,
        (ImportState::Building, TenantState::Active | TenantState::Suspended) if converged => {
            over(plane, import, &site, ImportState::Done).await
        }
        (ImportState::Building, TenantState::Failed) => remove(plane, import).await,
        // Somebody deleted it while it was made: the rest is his to do.
        (ImportState::Building, TenantState::Deleted) if converged => {
            over(plane, import, &site, ImportState::Failed).await
        }
        _ => Ok(()),
    }
}

/// Asks for the erasure of what was made: all or nothing.
async fn remove(plane: &Plane, mut import: ImportRecord) -> Result<(), StoreError> {
    let Some(uid) = import.tenant else { return Ok(()) };
    let mut change = Change::begin(plane).await?;
    let Some(before) = change.txn.tenant_fetch(&TenantRef::Uid(uid)).await? else { return Ok(()) };
    if before.state != TenantState::Failed {
        return Ok(());
    }
    import.state = ImportState::Removing;
    import.message.clone_from(&before.message);
    change.txn.import_put(&import).await?;
    let mut update = TenantIntentUpdate::new(uid, change.now);
    update.desired = Some(DesiredState::Erased);
    update.state = Some(TenantState::Deleted);
    let after = change.txn.tenant_update_intent(&update).await?;
    change.route(&after).await?;
    let note = Note {
        action: "tenant.erase",
        before: tenant::audited(&before, &plane.sites),
        after: tenant::audited(&after, &plane.sites),
    };
    change.note_tenant(&Origin::meta(), &after, note).await?;
    change.push(uid);
    change.commit().await
}

/// Records the end of an import, and gives its archive up.
async fn over(
    plane: &Plane,
    mut import: ImportRecord,
    site: &TenantRecord,
    state: ImportState,
) -> Result<(), StoreError> {
    let mut change = Change::begin(plane).await?;
    import.state = state;
    change.txn.import_put(&import).await?;
    if state == ImportState::Failed
        && let Some(id) = import.operation
        && let Some(record) = change.txn.operation_fetch(id).await?
    {
        let why = import.message.clone().unwrap_or_else(|| "the site was deleted".to_owned());
        let outcome = OperationOutcome::Failed(problem(&format!("{why}; nothing was made")));
        operation::end(&mut change, &record, &outcome).await?;
    }
    change.commit().await?;
    tracing::info!(import = %import.id, tenant.uid = %site.uid, "import over");
    give_up_archive(plane, &import).await
}

/// Removes an archive that no site is made of any more, wherever it is.
async fn give_up_archive(plane: &Plane, import: &ImportRecord) -> Result<(), StoreError> {
    if let Err(error) = plane.spool.remove(import.id) {
        tracing::warn!(import = %import.id, %error, "an archive can't be removed");
    }
    if let Some(source) = import.source
        && let Some(export) = plane.store.export_fetch(source).await?
        && let Some(shard) = plane.store.shard_fetch(export.shard).await?
    {
        let path = format!("{}/{source}", paths::SHARD_EXPORTS);
        // What can't be removed now goes with its age.
        let gone =
            shard_call::send(plane, &shard.address, Method::DELETE, &path, &(), TIMEOUT).await;
        if let Err(error) = gone {
            tracing::warn!(export = %source, %error, "a clone's archive is kept until it expires");
        }
    }
    Ok(())
}

/// Forgets what is over, and uploads that did not go on.
async fn sweep(plane: &Plane) -> Result<(), StoreError> {
    for id in plane.spool.written() {
        import::put_off(plane, id).await?;
    }
    let mut change = Change::begin(plane).await?;
    let now = change.now;
    let forgotten = change.txn.transfers_sweep(now).await?;
    change.commit().await?;
    if forgotten > 0 {
        tracing::info!(forgotten, "exports and imports forgotten");
    }
    for id in plane.spool.list().unwrap_or_default() {
        if plane.store.import_fetch(id).await?.is_none()
            && let Err(error) = plane.spool.remove(id)
        {
            tracing::warn!(import = %id, %error, "an archive can't be removed");
        }
    }
    Ok(())
}
