//! Brings one tenant to what was asked of it. Everything is looked at again on each run, so a
//! run after a crash, or after somebody changed the world, ends the same.

mod build;
mod core_move;
pub(crate) mod master;
mod packages;
pub(crate) mod php_settings;
mod publish;
mod remove;
pub(crate) mod rotation;

use std::sync::Arc;
use std::time::Duration;

use aipress_flow::Outcome;
use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::TenantUid;

use crate::journal::Entry;
use crate::journal::Master;
use crate::plane::Plane;
use crate::steps::StepError;
use crate::steps::Steps;

/// A failure that trying again does not mend is still looked at now and then: somebody may have
/// mended its cause.
const FAILED_AGAIN: Duration = Duration::from_secs(60);

/// Looks at one tenant once.
pub(crate) async fn reconcile(plane: Arc<Plane>, uid: TenantUid) -> Outcome {
    let Some(tenant) = plane.tenants.fetch(uid) else { return Outcome::Done };
    let desired = tenant.entry.intent.desired;
    let entry = Arc::clone(&tenant.entry);
    let was_settled = tenant.converged();
    let had_failed = tenant.observed.phase == ObservedPhase::Failed;
    // What an archive could not be made into takes as long the next time, for the same end. A new
    // wish, or a new start, begins again.
    let wants_site = matches!(desired, DesiredState::Active | DesiredState::Suspended);
    if had_failed && wants_site && !entry.built && entry.intent.content.is_some() {
        return Outcome::Done;
    }
    let steps = Steps::begin(&plane, tenant, &names(&entry));
    let outcome = match desired {
        DesiredState::Active | DesiredState::Suspended => build::run(&plane, &steps, entry).await,
        DesiredState::Deleted => remove::set_aside(&plane, &steps, &entry).await,
        DesiredState::Erased => remove::erase(&plane, &steps, &entry).await,
    };
    steps.end(&outcome);
    log(&plane, uid, desired, &outcome);
    if outcome.is_ok() {
        plane.tell_state(uid, desired);
    }
    // One that ended badly may have changed a part; tried again, it changes no more.
    let ended = match &outcome {
        Ok(()) => !was_settled,
        Err(error) => !error.retryable && !had_failed,
    };
    if ended {
        plane.inventories.soon(uid);
    }
    match outcome {
        Ok(()) => Outcome::Done,
        Err(error) if error.retryable => Outcome::Retry,
        Err(_) => Outcome::After(FAILED_AGAIN),
    }
}

fn names(entry: &Entry) -> Vec<&'static str> {
    let mut names = match entry.intent.desired {
        DesiredState::Active if master::is_wanted(&entry.intent) => build::OWN_PHP,
        DesiredState::Active if entry.master != Master::Shared => build::SHARED_PHP,
        DesiredState::Active => build::ACTIVE,
        DesiredState::Suspended => build::SUSPENDED,
        DesiredState::Deleted | DesiredState::Erased => remove::REMOVED,
    }
    .to_vec();
    let builds = matches!(entry.intent.desired, DesiredState::Active | DesiredState::Suspended);
    if builds && rotation::is_under_way(entry) {
        let database = names.iter().position(|name| *name == "database");
        names.insert(database.unwrap_or(names.len()), rotation::BEGIN);
        names.push(rotation::END);
    }
    if packages::are_concerned(entry) {
        names.push(packages::STEP);
    }
    names
}

fn log(plane: &Plane, uid: TenantUid, desired: DesiredState, outcome: &Result<(), StepError>) {
    let shard = plane.config.id;
    match outcome {
        Ok(()) => tracing::info!(tenant_id = %uid, %shard, ?desired, "tenant is as wanted"),
        Err(error) => tracing::warn!(
            tenant_id = %uid, %shard, ?desired, error = error.message,
            retry = error.retryable, "tenant is not as wanted"
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests;
