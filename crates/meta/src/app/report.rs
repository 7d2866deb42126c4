//! A shard's report becomes the registry's: who it is, how it does, and what is of each of its
//! tenants. One transaction, idempotent: the same report twice changes nothing the second time.

use aipress_api::PROTOCOL;
use aipress_api::Problem;
use aipress_api::internal::ReportAnswer;
use aipress_api::internal::ShardReport;
use aipress_kit::faults;
use aipress_store::OperationOutcome;
use aipress_store::OperationRecord;
use aipress_store::OperationStep;
use aipress_store::OperationStepPut;
use aipress_store::ProjectRecord;
use aipress_store::ShardUpsert;
use aipress_store::StoreError;
use aipress_store::TenantObservation;
use aipress_store::TenantRecord;
use aipress_store::TenantRecorded;
use aipress_store::TenantRef;
use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::ProjectId;
use aipress_types::ShardId;
use aipress_types::StepState;
use aipress_types::TenantObserved;
use aipress_types::TenantState;

use crate::app::mail;
use crate::app::operation;
use crate::app::transfer::is_all_or_nothing;
use crate::change::Change;
use crate::codes::OPERATION_FAILED;
use crate::operations::ROUTE;
use crate::operations::title;
use crate::plane::Plane;

/// Takes a report of `shard`.
pub(crate) async fn take(
    plane: &Plane,
    shard: ShardId,
    report: ShardReport,
) -> Result<ReportAnswer, StoreError> {
    let mut change = Change::begin(plane).await?;
    register(&mut change, shard, &report).await?;
    let mut stale = Vec::new();
    for observed in report.tenants {
        let uid = observed.uid;
        match observe(&mut change, shard, observed).await? {
            Taken::Fresh => {}
            Taken::Stale => stale.push(uid),
        }
    }
    mail::tell(&mut change, shard, report.mail_news).await?;
    faults::point("meta.report.before");
    change.commit().await?;
    faults::point("meta.report.after");
    plane.metrics.reports.inc();
    plane.metrics.shard_counted(shard, report.tallies);
    Ok(ReportAnswer { stale })
}

async fn register(
    change: &mut Change<'_>,
    shard: ShardId,
    report: &ShardReport,
) -> Result<(), StoreError> {
    let now = change.now;
    let known = change.txn.shard_fetch(shard).await?;
    let same = known.as_ref().is_some_and(|known| {
        known.region == report.region
            && known.address == report.control
            && known.gateway == report.gateway
            && known.slots == report.slots
            && known.protocol == PROTOCOL
    });
    if !same {
        let project = ProjectId::of_shard(shard);
        for (id, kind, region) in [
            (ProjectId::control_meta(), "control", None),
            (ProjectId::shared_services(), "shared", None),
            (project.clone(), "shard", Some(report.region.clone())),
        ] {
            let record = ProjectRecord { id, kind: kind.to_owned(), region, created_at: now };
            change.txn.project_upsert(&record).await?;
        }
        let upsert = ShardUpsert {
            id: shard,
            project,
            region: report.region.clone(),
            address: report.control.clone(),
            gateway: report.gateway.clone(),
            slots: report.slots,
            protocol: PROTOCOL,
            now,
        };
        change.txn.shard_upsert(&upsert).await?;
        tracing::info!(shard.id = %shard, region = report.region, "shard registered");
        // A gateway that moved is a change of every route to it; the registry numbers them.
        change.routes_changed();
    }
    let said = aipress_store::ShardReport {
        id: shard,
        health: report.health,
        message: report.message.clone(),
        details: serde_json::Value::Null,
        at: now,
    };
    change.txn.shard_report(&said).await
}

enum Taken {
    Fresh,
    Stale,
}

/// Takes what is said of one tenant. What is about an older (or unknown) generation or placement
/// is dropped and named in the answer, so that the shard asks for what is wanted now.
async fn observe(
    change: &mut Change<'_>,
    shard: ShardId,
    observed: TenantObserved,
) -> Result<Taken, StoreError> {
    let Some(tenant) = change.txn.tenant_fetch(&TenantRef::Uid(observed.uid)).await? else {
        return Ok(Taken::Stale);
    };
    let current = tenant.shard == Some(shard)
        && tenant.placement_epoch == observed.placement_epoch
        && tenant.generation == observed.generation;
    if !current || tenant.state == TenantState::Erased {
        if tenant.shard == Some(shard) && tenant.state != TenantState::Erased {
            change.push(tenant.uid);
        }
        return Ok(Taken::Stale);
    }
    let next = next_state(&tenant, &observed);
    let observation = TenantObservation {
        message: message(&observed),
        state: (next != tenant.state).then_some(next),
        observed: observed.clone(),
        now: change.now,
    };
    let recorded = change.txn.tenant_record_observed(&observation).await?;
    let (changed, after) = match recorded {
        TenantRecorded::Changed(after) => (true, *after),
        TenantRecorded::Unchanged(after) => (false, *after),
        TenantRecorded::Stale(_) => return Ok(Taken::Stale),
    };
    if changed {
        change.route(&after).await?;
    }
    if after.state != tenant.state {
        tracing::info!(
            tenant.uid = %after.uid, tenant.name = %after.name, from = %tenant.state,
            to = %after.state, "tenant changed state"
        );
        change.tell_tenant("tenant.state", &after).await?;
    }
    tell_rolled_back(change, &tenant, &after, &observed).await?;
    tell_limits(change, &tenant, &after, &observed).await?;
    if observed.phase == ObservedPhase::Converged {
        change.txn.package_removals_done(after.uid, observed.generation).await?;
    }
    follow(change, &after, &observed).await?;
    let erased = observed.phase == ObservedPhase::Converged
        && observed.desired == DesiredState::Erased
        && after.desired == DesiredState::Erased;
    if erased {
        change.txn.inventory_remove(after.uid).await?;
        change.txn.tenant_erase(after.uid, change.now).await?;
        let erased = change.txn.tenant_fetch(&TenantRef::Uid(after.uid)).await?;
        change.tell_tenant("tenant.erased", erased.as_ref().unwrap_or(&after)).await?;
    }
    Ok(Taken::Fresh)
}

/// One event for each change of a plugin or theme that was taken back since the last report.
async fn tell_rolled_back(
    change: &mut Change<'_>,
    before: &TenantRecord,
    after: &TenantRecord,
    observed: &TenantObserved,
) -> Result<(), StoreError> {
    let known = before.observed.as_ref().map(|before| before.rolled_back.as_slice());
    for rolled_back in &observed.rolled_back {
        if known.is_some_and(|known| known.contains(rolled_back)) {
            continue;
        }
        let data = serde_json::json!({
            "name": after.name,
            "generation": after.generation,
            "kind": rolled_back.package.kind,
            "package": rolled_back.package.name,
            "message": rolled_back.message,
        });
        change.tell_of(after, "tenant.package.rolledback", data).await?;
    }
    Ok(())
}

/// One event for each limit that the site meets since the last report, and for each that it meets
/// no more.
async fn tell_limits(
    change: &mut Change<'_>,
    before: &TenantRecord,
    after: &TenantRecord,
    observed: &TenantObserved,
) -> Result<(), StoreError> {
    let known = before.observed.as_ref().map_or(&[][..], |before| before.limits.as_slice());
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|words| !those.contains(words)).cloned().collect()
    };
    let (met, over) = (only(&observed.limits, known), only(known, &observed.limits));
    let met = met.into_iter().map(|words| ("tenant.limit.met", words));
    let over = over.into_iter().map(|words| ("tenant.limit.over", words));
    for (kind, message) in met.chain(over) {
        let data = serde_json::json!({
            "name": after.name,
            "generation": after.generation,
            "message": message,
        });
        change.tell_of(after, kind, data).await?;
    }
    Ok(())
}

/// The state that follows from a report about the current generation. Pure.
///
/// A failure closes a site that was being made, or that was up in this very generation and no
/// longer is. A failed *change* of a site that is up leaves it up: the shard goes on serving what
/// it had.
fn next_state(tenant: &TenantRecord, observed: &TenantObserved) -> TenantState {
    let next = match observed.phase {
        ObservedPhase::Converging => tenant.state,
        // Erasing ends in its own step, once the rest of the report is taken.
        ObservedPhase::Converged if observed.desired == DesiredState::Erased => tenant.state,
        ObservedPhase::Converged if observed.desired == tenant.desired => tenant.desired.reached(),
        ObservedPhase::Converged => tenant.state,
        // What failed leaves the site as it was: up.
        ObservedPhase::Failed if observed.serving && tenant.desired == DesiredState::Active => {
            TenantState::Active
        }
        ObservedPhase::Failed => {
            let was_real = tenant.observed.as_ref().is_some_and(|before| {
                before.generation == observed.generation && before.phase == ObservedPhase::Converged
            });
            let being_made = match tenant.state {
                TenantState::Creating => true,
                TenantState::Deleted => tenant.desired == DesiredState::Active,
                _ => false,
            };
            if being_made || (was_real && tenant.state == TenantState::Active) {
                TenantState::Failed
            } else {
                tenant.state
            }
        }
    };
    if next == tenant.state || tenant.state.may_become(next) { next } else { tenant.state }
}

fn message(observed: &TenantObserved) -> Option<String> {
    match observed.phase {
        // A site that is as wanted may still meet limits.
        ObservedPhase::Converged if observed.limits.is_empty() => None,
        ObservedPhase::Converged => Some(observed.limits.join(" ")),
        ObservedPhase::Converging | ObservedPhase::Failed => observed.message.clone(),
    }
}

/// Brings the operation that waits for this generation up to what was reported.
async fn follow(
    change: &mut Change<'_>,
    tenant: &TenantRecord,
    observed: &TenantObserved,
) -> Result<(), StoreError> {
    let unfinished = change.txn.operations_unfinished_of(tenant.uid).await?;
    let waiting = unfinished.into_iter().find(|op| op.generation == observed.generation);
    let Some(waiting) = waiting else { return Ok(()) };
    let started = change.txn.operation_start(waiting.id, change.now).await?;
    let mut moved = started;
    for step in &observed.steps {
        let put = OperationStepPut {
            name: step.name.clone(),
            title: Some(title(&waiting.kind, &step.name).to_owned()),
            state: step.state,
            started_at: None,
            finished_at: None,
            duration_ms: matches!(step.state, StepState::Succeeded | StepState::Failed)
                .then_some(step.duration_ms),
            message: step.message.clone(),
        };
        // Every report carries all steps; those that are known cost no statement.
        if !waiting.steps.iter().any(|held| is_known(held, &put)) {
            moved |= change.txn.operation_step_put(waiting.id, &put).await?;
        }
    }
    match observed.phase {
        ObservedPhase::Converging => {}
        ObservedPhase::Converged => {
            moved |= tell_edges(change, &waiting).await?;
            change.may_end(waiting.id);
        }
        ObservedPhase::Failed => {
            let detail = observed
                .message
                .clone()
                .unwrap_or_else(|| "the shard gave no reason; see its log".to_owned());
            let problem = Problem::new(
                OPERATION_FAILED.status,
                OPERATION_FAILED.code,
                OPERATION_FAILED.title,
                detail,
            );
            let problem = serde_json::to_value(problem).unwrap_or_default();
            if moved {
                operation::record_event(change, waiting.id, operation::EVENT_STEP).await?;
            }
            if is_all_or_nothing(&waiting.kind) {
                // It ends once what was made is removed again: its name is free then.
                return Ok(());
            }
            return operation::end(change, &waiting, &OperationOutcome::Failed(problem)).await;
        }
    }
    if moved {
        operation::record_event(change, waiting.id, operation::EVENT_STEP).await?;
    }
    Ok(())
}

/// Whether putting a step would change nothing.
fn is_known(held: &OperationStep, put: &OperationStepPut) -> bool {
    held.name == put.name
        && held.state == put.state
        && held.message == put.message
        && (put.duration_ms.is_none() || put.duration_ms == held.duration_ms)
}

async fn tell_edges(
    change: &mut Change<'_>,
    operation: &OperationRecord,
) -> Result<bool, StoreError> {
    if operation.steps.iter().any(|step| step.name == ROUTE) {
        return Ok(false);
    }
    let put = OperationStepPut {
        name: ROUTE.to_owned(),
        title: Some(title(&operation.kind, ROUTE).to_owned()),
        state: StepState::Running,
        started_at: Some(change.now),
        finished_at: None,
        duration_ms: None,
        message: None,
    };
    change.txn.operation_step_put(operation.id, &put).await
}

#[cfg(test)]
mod tests;
