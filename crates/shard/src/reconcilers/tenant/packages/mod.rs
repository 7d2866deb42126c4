//! Makes a site's plugins and themes what its spec asks for, one after the other; a change that makes
//! the site fail is taken back, told, and not tried again until the spec changes.
//!
//! Killed at any line, the next look finds the change in the journal and takes it back before it
//! begins anew: a site has the old or the new version, each whole.

mod change;
mod diff;
mod look;

use aipress_drivers::Slot;
use aipress_types::DesiredState;
use aipress_types::TenantSpec;
use aipress_types::intent::RolledBack;
use aipress_types::package::advice;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::journal::Entry;
use crate::journal::Held;
use crate::journal::KeptPackages;
use crate::plane::Plane;
use crate::reconcilers::tenant::packages::change::Change;
use crate::reconcilers::tenant::packages::change::Failed;
use crate::reconcilers::tenant::packages::diff::Todo;
use crate::steps::StepError;
use crate::steps::Steps;

/// Name of the step.
pub(super) const STEP: &str = "packages";

/// Whether there is anything to look after.
pub(super) fn are_concerned(entry: &Entry) -> bool {
    let intent = &entry.intent;
    intent.desired == DesiredState::Active
        && !(intent.spec.plugins.is_empty()
            && intent.spec.themes.is_empty()
            && intent.absent.is_empty()
            && entry.packages == KeptPackages::default())
}

/// Runs the step, and says what a person should know of what was asked for.
pub(super) async fn run(
    plane: &Plane,
    steps: &Steps<'_>,
    entry: &Entry,
    slot: Slot,
) -> Result<(), StepError> {
    let mut notes = steps.run(STEP, converge(plane, entry, slot)).await?;
    notes.extend(advices(&entry.intent.spec));
    if !notes.is_empty() {
        steps.note(STEP, &notes.join("; "));
    }
    Ok(())
}

/// Makes every change; returns what a person should know of them.
async fn converge(plane: &Plane, entry: &Entry, slot: Slot) -> Result<Vec<String>, StepError> {
    let uid = entry.intent.uid;
    let mut change = Change::new(plane, uid, slot);
    if let Some(pending) = &entry.packages.pending {
        change.take_back_pending(pending).await?;
    }
    plane.drivers.packages.clear_beside(uid).await?;
    let digest = digest(&entry.intent.spec);
    plane.tenants.update(uid, |entry| entry.packages.held.retain(|held| held.digest == digest))?;
    let site = look::site(plane, uid, slot).await?;
    forget_gone(plane, entry, &site)?;
    let todo = diff::todo(&entry.intent, &entry.packages, &site);
    let mut failures = Vec::new();
    for todo in todo {
        if let Some(held) = held(plane, entry, &todo, &digest) {
            failures.push(held);
            continue;
        }
        match change.apply(&todo).await {
            Ok(()) => {}
            Err(Failed::TakenBack(message)) => {
                tracing::warn!(tenant_id = %uid, message, "a change of a plugin or theme was taken back");
                let rolled_back =
                    RolledBack { package: todo.package().clone(), message: message.clone() };
                let held = Held { rolled_back, digest: digest.clone() };
                plane.tenants.update(uid, |entry| {
                    entry
                        .packages
                        .held
                        .retain(|other| other.rolled_back.package != held.rolled_back.package);
                    entry.packages.held.push(held);
                })?;
                failures.push(message);
            }
            // One that can't be had keeps no other from coming.
            Err(Failed::Unavailable(message)) => failures.push(message),
            Err(Failed::Step(error)) => return Err(error),
        }
    }
    if !failures.is_empty() {
        return Err(StepError { message: failures.join("; "), retryable: false });
    }
    Ok(change.notes)
}

/// What was taken back and is asked for again by the same spec.
fn held(plane: &Plane, entry: &Entry, todo: &Todo, digest: &str) -> Option<String> {
    let tenant = plane.tenants.fetch(entry.intent.uid)?;
    let held = &tenant.entry.packages.held;
    held.iter()
        .find(|held| held.rolled_back.package == *todo.package() && held.digest == digest)
        .map(|held| held.rolled_back.message.clone())
}

/// What the spec no longer names and somebody removed by hand need not be remembered.
fn forget_gone(plane: &Plane, entry: &Entry, site: &diff::Site) -> Result<(), StepError> {
    let spec = &entry.intent.spec;
    plane.tenants.update(entry.intent.uid, |entry| {
        entry.packages.managed.retain(|managed| {
            diff::entries(spec).any(|(package, _)| package == managed.package)
                || site.find(&managed.package).is_some_and(|found| !found.shared)
        });
    })?;
    Ok(())
}

/// Tells one wish for plugins and themes from another: what a failure may depend on.
fn digest(spec: &TenantSpec) -> String {
    let wish = json!([spec.plugins, spec.themes, spec.wordpress.version, spec.php]);
    hex::encode(Sha256::digest(wish.to_string().as_bytes()))
}

/// What a person should know of the plugins that were asked for.
fn advices(spec: &TenantSpec) -> Vec<String> {
    diff::entries(spec)
        .filter_map(|(package, _)| advice(package.kind, &package.name))
        .map(|advice| advice.to_string())
        .collect()
}

#[cfg(test)]
mod tests;
