//! Operations: begun in the transaction of their change, followed by events, overtaken by what
//! comes later for the same tenant, ended when what they wait for is so.

use aipress_api::OperationState as WireState;
use aipress_api::OperationView;
use aipress_api::Problem;
use aipress_api::StepView;
use aipress_store::EventInsert;
use aipress_store::OperationInsert;
use aipress_store::OperationOutcome;
use aipress_store::OperationRecord;
use aipress_store::OperationState;
use aipress_store::OperationStepPut;
use aipress_store::StoreError;
use aipress_store::TenantRecord;
use aipress_types::OperationId;
use aipress_types::StepState;
use uuid::Uuid;

use crate::change::Change;
use crate::change::Origin;
use crate::metrics::OperationLabels;
use crate::operations::ACCEPT;
use crate::operations::WORKFLOW_VERSION;
use crate::operations::title;

/// Kind of the event of a change of steps.
pub(crate) const EVENT_STEP: &str = "step";
/// Kind of the event of a change of the operation's own state.
pub(crate) const EVENT_STATE: &str = "state";

/// An operation on the wire.
pub(crate) fn view(operation: &OperationRecord) -> OperationView {
    OperationView {
        id: operation.id.0,
        kind: operation.kind.clone(),
        tenant_uid: operation.tenant.map_or(Uuid::nil(), |uid| uid.0),
        tenant_name: operation.tenant_name.as_ref().map(ToString::to_string).unwrap_or_default(),
        state: wire_state(operation.state),
        steps: operation
            .steps
            .iter()
            .map(|step| StepView {
                name: step.name.clone(),
                title: step.title.clone(),
                state: step.state,
                duration_ms: step.duration_ms,
                message: step.message.clone(),
            })
            .collect(),
        error: operation
            .error
            .clone()
            .and_then(|error| serde_json::from_value::<Problem>(error).ok()),
        url: operation
            .result
            .as_ref()
            .and_then(|result| result.get("url")?.as_str().map(str::to_owned)),
        actor: operation.actor.clone(),
        created_at: operation.created_at,
        finished_at: operation.finished_at,
    }
}

/// The registry's word for a state as the API says it.
pub(crate) fn wire_state(state: OperationState) -> WireState {
    match state {
        OperationState::Pending => WireState::Pending,
        OperationState::Running => WireState::Running,
        OperationState::Succeeded => WireState::Succeeded,
        OperationState::Failed => WireState::Failed,
        OperationState::Canceled => WireState::Superseded,
    }
}

/// The API's word for a state as the registry says it.
pub(crate) fn registry_state(word: &str) -> Option<OperationState> {
    OperationState::ALL.into_iter().find(|state| wire_state(*state).as_str() == word)
}

/// Begins an operation of `kind` that waits for the tenant's generation; every unfinished one of
/// the tenant is overtaken by it.
pub(crate) async fn begin(
    change: &mut Change<'_>,
    origin: &Origin,
    kind: &str,
    tenant: &TenantRecord,
) -> Result<OperationId, StoreError> {
    let id = OperationId(Uuid::new_v4());
    for older in change.txn.operations_unfinished_of(tenant.uid).await? {
        if older.generation == 0 {
            continue;
        }
        let outcome = OperationOutcome::Canceled(Some(serde_json::json!({ "supersededBy": id })));
        end(change, &older, &outcome).await?;
    }
    insert(change, origin, kind, tenant, id).await?;
    record_event(change, id, EVENT_STATE).await?;
    tell(change, id, "operation.created").await?;
    Ok(id)
}

/// An operation that has nothing to do: begun and ended at once, overtaking nobody.
pub(crate) async fn begin_ended(
    change: &mut Change<'_>,
    origin: &Origin,
    kind: &str,
    tenant: &TenantRecord,
) -> Result<OperationId, StoreError> {
    let id = OperationId(Uuid::new_v4());
    insert(change, origin, kind, tenant, id).await?;
    let url = change.plane.sites.home(tenant.name.as_str());
    let outcome = OperationOutcome::Succeeded(Some(serde_json::json!({ "url": url })));
    change.txn.operation_finish(id, &outcome, change.now).await?;
    record_event(change, id, EVENT_STATE).await?;
    tell(change, id, "operation.succeeded").await?;
    Ok(id)
}

/// An operation that waits for no generation of the tenant: it overtakes nobody, and nobody
/// overtakes it; whoever does its work ends it.
pub(crate) async fn begin_beside(
    change: &mut Change<'_>,
    origin: &Origin,
    kind: &str,
    tenant: &TenantRecord,
) -> Result<OperationId, StoreError> {
    let id = OperationId(Uuid::new_v4());
    insert(change, origin, kind, tenant, id).await?;
    change.txn.operation_set_generation(id, 0).await?;
    change.txn.operation_start(id, change.now).await?;
    record_event(change, id, EVENT_STATE).await?;
    tell(change, id, "operation.created").await?;
    Ok(id)
}

async fn insert(
    change: &mut Change<'_>,
    origin: &Origin,
    kind: &str,
    tenant: &TenantRecord,
    id: OperationId,
) -> Result<(), StoreError> {
    let now = change.now;
    let insert = OperationInsert {
        id,
        kind: kind.to_owned(),
        tenant: Some(tenant.uid),
        tenant_name: Some(tenant.name.clone()),
        account: Some(tenant.account),
        actor: origin.actor.clone(),
        generation: tenant.generation,
        workflow_version: WORKFLOW_VERSION,
        steps: vec![(ACCEPT.to_owned(), title(kind, ACCEPT).to_owned())],
        now,
    };
    change.txn.operation_insert(&insert).await?;
    let accepted = OperationStepPut {
        name: ACCEPT.to_owned(),
        title: None,
        state: StepState::Succeeded,
        started_at: Some(now),
        finished_at: Some(now),
        duration_ms: Some(0),
        message: None,
    };
    change.txn.operation_step_put(id, &accepted).await.map(drop)
}

/// Ends an operation, once; tells its followers and the outbox.
pub(crate) async fn end(
    change: &mut Change<'_>,
    operation: &OperationRecord,
    outcome: &OperationOutcome,
) -> Result<(), StoreError> {
    let now = change.now;
    if !change.txn.operation_finish(operation.id, outcome, now).await? {
        return Ok(());
    }
    let word = match outcome {
        OperationOutcome::Succeeded(_) => "succeeded",
        OperationOutcome::Failed(_) => "failed",
        OperationOutcome::Canceled(_) => "superseded",
    };
    let labels = OperationLabels { kind: operation.kind.clone(), outcome: word.to_owned() };
    let seconds = (now - operation.created_at).as_seconds_f64();
    change.ended.push((labels, seconds));
    record_event(change, operation.id, EVENT_STATE).await?;
    tell(change, operation.id, &format!("operation.{word}")).await
}

/// Tells the outbox of an operation as it is now, without its steps.
async fn tell(change: &mut Change<'_>, id: OperationId, kind: &str) -> Result<(), StoreError> {
    let Some(operation) = change.txn.operation_fetch(id).await? else { return Ok(()) };
    let view = view(&operation);
    let event = EventInsert {
        at: change.now,
        kind: kind.to_owned(),
        tenant: operation.tenant,
        shard: None,
        account: operation.account,
        data: serde_json::json!({
            "operation": view.id,
            "kind": view.kind,
            "name": view.tenant_name,
            "state": view.state,
            "error": view.error,
            "url": view.url,
            "actor": view.actor,
        }),
    };
    change.tell(event).await
}

/// Appends an event that carries the operation as it is now.
pub(crate) async fn record_event(
    change: &mut Change<'_>,
    id: OperationId,
    kind: &str,
) -> Result<(), StoreError> {
    let Some(operation) = change.txn.operation_fetch(id).await? else { return Ok(()) };
    let data = serde_json::to_value(view(&operation)).unwrap_or_default();
    change.txn.operation_event_append(id, kind, &data, change.now).await?;
    change.operation_changed(id);
    Ok(())
}
