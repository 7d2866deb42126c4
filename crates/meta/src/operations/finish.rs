//! The end of an operation: its tenant is as asked, and every living edge knows. Run again and
//! again until it is written; what has ended stays as it is.

use std::time::Duration;

use aipress_flow::Outcome;
use aipress_kit::faults;
use aipress_store::OperationOutcome;
use aipress_store::OperationRecord;
use aipress_store::OperationStepPut;
use aipress_store::StoreError;
use aipress_store::TenantRecord;
use aipress_store::TenantRef;
use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::OperationId;
use aipress_types::StepState;
use aipress_types::TenantState;

use crate::app::operation;
use crate::app::transfer::is_all_or_nothing;
use crate::change::Change;
use crate::operations::ROUTE;
use crate::operations::title;
use crate::plane::Plane;

/// Longest wait for edges. They ask by long poll and have a change within milliseconds; one that
/// does not is dead or far away, and the site is up all the same.
const EDGE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether what the operation waits for is so.
pub(crate) fn is_reached(tenant: &TenantRecord, operation: &OperationRecord) -> bool {
    if operation.generation == 0 {
        // It waits for no generation; whoever does its work ends it.
        return false;
    }
    if is_all_or_nothing(&operation.kind) && tenant.desired != DesiredState::Active {
        // Its site is being removed again: it ends as failed when that is done.
        return false;
    }
    tenant.state == TenantState::Erased
        || (tenant.observed_generation >= operation.generation
            && tenant
                .observed
                .as_ref()
                .is_some_and(|observed| observed.phase == ObservedPhase::Converged))
}

/// Ends the operation if its time has come.
pub(crate) async fn finish(plane: &Plane, id: OperationId) -> Outcome {
    match try_finish(plane, id).await {
        Ok(()) => Outcome::Done,
        Err(error) => {
            tracing::warn!(op.id = %id, %error, "operation can't be ended yet");
            Outcome::Retry
        }
    }
}

async fn try_finish(plane: &Plane, id: OperationId) -> Result<(), StoreError> {
    let Some((_, tenant)) = due(plane, id).await? else { return Ok(()) };
    let newest =
        plane.store.routes_of_tenant(tenant.uid).await?.into_iter().map(|route| route.seq).max();
    if let Some(seq) = newest {
        plane.signals.edges.wait_for(seq, EDGE_PATIENCE).await;
    }
    let mut change = Change::begin(plane).await?;
    // Looked at again under the lock: a later change may have overtaken it meanwhile.
    let Some(record) = change.txn.operation_fetch(id).await? else { return Ok(()) };
    let Some(tenant) = change.txn.tenant_fetch(&TenantRef::Uid(tenant.uid)).await? else {
        return Ok(());
    };
    if record.state.is_finished() || !is_reached(&tenant, &record) {
        return Ok(());
    }
    let now = change.now;
    let began = record.steps.iter().find(|step| step.name == ROUTE).and_then(|s| s.started_at);
    let took = (now - began.unwrap_or(now)).whole_milliseconds();
    let told = OperationStepPut {
        name: ROUTE.to_owned(),
        title: Some(title(&record.kind, ROUTE).to_owned()),
        state: StepState::Succeeded,
        started_at: began.is_none().then_some(now),
        finished_at: Some(now),
        duration_ms: Some(u64::try_from(took).unwrap_or(0)),
        message: None,
    };
    change.txn.operation_step_put(id, &told).await?;
    let open = matches!(tenant.desired, DesiredState::Active | DesiredState::Suspended);
    let result = open.then(|| serde_json::json!({ "url": plane.sites.home(tenant.name.as_str()) }));
    operation::end(&mut change, &record, &OperationOutcome::Succeeded(result)).await?;
    faults::point("meta.finish.before");
    change.commit().await?;
    faults::point("meta.finish.after");
    Ok(())
}

/// The operation and its tenant, when it is unfinished and reached.
async fn due(
    plane: &Plane,
    id: OperationId,
) -> Result<Option<(OperationRecord, TenantRecord)>, StoreError> {
    let Some(operation) = plane.store.operation_fetch(id).await? else { return Ok(None) };
    let Some(uid) = operation.tenant else { return Ok(None) };
    if operation.state.is_finished() {
        return Ok(None);
    }
    let Some(tenant) = plane.store.tenant_fetch(&TenantRef::Uid(uid)).await? else {
        return Ok(None);
    };
    Ok(is_reached(&tenant, &operation).then_some((operation, tenant)))
}
