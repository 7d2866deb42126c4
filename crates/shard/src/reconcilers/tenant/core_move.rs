//! Moves a site to another version of WordPress, and back when it does not work there.
//!
//! Where a move is stands in the journal (`Entry::moving`), written before each part of it begins:
//! so one that was killed at any point goes on, and ends with the whole site on the new version or
//! on the old one. Visitors meet a notice (503) from the copy of the database to the verdict,
//! because what they wrote meanwhile would be lost on the way back.
//!
//! A move that failed is not tried again until another version is asked for (`Entry::refused`).
//! WordPress has no way to take a database back to an older form, so a move to a version that
//! needs an older one is refused before anything is touched.

use std::time::Duration;

use aipress_drivers::DriverError;
use aipress_drivers::ExecCall;
use aipress_drivers::ExecExit;
use aipress_drivers::ExecOutput;
use aipress_drivers::Recycle;
use aipress_drivers::Slot;
use aipress_types::TenantUid;

use crate::core::ShardCore;
use crate::journal::CoreMove;
use crate::journal::Entry;
use crate::journal::MovePhase;
use crate::journal::RefusedMove;
use crate::plane::Plane;
use crate::reconcilers::tenant::build;
use crate::reconcilers::tenant::publish;
use crate::smoke;
use crate::steps::StepError;
use crate::steps::Steps;

/// The upgrade of the largest database that a slot holds; WordPress takes seconds for most.
const UPGRADE_LIMIT: Duration = Duration::from_secs(900);
/// Most that is told of what a command said, in characters.
const SAID_CHARS: usize = 400;

/// Why the site does not run what was asked for.
pub(super) fn refusal(entry: &Entry) -> Option<StepError> {
    let wanted = entry.intent.spec.wordpress.version.as_deref()?;
    let refused = entry.refused.as_ref().filter(|refused| refused.wanted == wanted)?;
    Some(StepError { message: refused.message.clone(), retryable: false })
}

/// Brings the site to `wanted`, or leaves it (or brings it back) where it was; returns the core
/// that it runs then. `held` is the one that it runs now.
pub(super) async fn run(
    plane: &Plane,
    steps: &Steps<'_>,
    uid: TenantUid,
    slot: Slot,
    held: ShardCore,
    wanted: ShardCore,
) -> Result<ShardCore, StepError> {
    let entry = entry(plane, uid)?;
    let moving = match entry.moving.clone() {
        Some(moving) => moving,
        None if held.version == wanted.version || refusal(&entry).is_some() => return Ok(held),
        None => {
            if let Some(words) = no_way(&held, &wanted) {
                refuse(plane, uid, words)?;
                return Ok(held);
            }
            begin(plane, steps, uid, &held, &wanted).await?
        }
    };
    let (old, new) = (resolve(plane, &moving.from).await?, resolve(plane, &moving.to).await?);
    let mut phase = moving.phase.clone();
    if phase == MovePhase::Begun {
        steps.run("core-maintenance", close(plane, slot)).await?;
        let copied = steps.run("core-snapshot", keep_copy(plane, uid)).await;
        match copied {
            Ok(()) => {}
            Err(error) if error.retryable => return Err(error),
            Err(error) => {
                end(
                    plane,
                    uid,
                    &old,
                    Some(format!("the site stays on {}: {}", old.version, error.message)),
                )?;
                return Ok(old);
            }
        }
        phase = set_phase(plane, uid, MovePhase::Switching)?;
    }
    if phase == MovePhase::Switching {
        phase = match forward(plane, steps, uid, slot, &new, &moving).await? {
            None => set_phase(plane, uid, MovePhase::Settled)?,
            Some(words) => set_phase(plane, uid, MovePhase::Back(words))?,
        };
    }
    match phase {
        MovePhase::Back(words) => {
            steps.run("core-back", back(plane, uid, slot, &old)).await?;
            let words =
                format!("WordPress {}: {words}; the site is back on {}", new.version, old.version);
            tracing::warn!(tenant_id = %uid, words, "a move to another core failed");
            end(plane, uid, &old, Some(words))?;
            Ok(old)
        }
        MovePhase::Settled | MovePhase::Begun | MovePhase::Switching => {
            steps.run("core-settle", settle(plane, uid)).await?;
            tracing::info!(tenant_id = %uid, from = old.version, to = new.version, "core moved");
            end(plane, uid, &new, None)?;
            Ok(new)
        }
    }
}

/// Why there is no way from one version to the other.
fn no_way(held: &ShardCore, wanted: &ShardCore) -> Option<String> {
    let (from, to) = (held.db_version?, wanted.db_version?);
    (to < from).then(|| {
        format!(
            "WordPress can't go back from {} to {}: the database is of version {from}, and {} \
             knows only up to {to}; make a site of that version and import into it, or restore a \
             backup",
            held.version, wanted.version, wanted.version
        )
    })
}

/// Looks how the site is, for comparison, and writes down that it moves.
async fn begin(
    plane: &Plane,
    steps: &Steps<'_>,
    uid: TenantUid,
    held: &ShardCore,
    wanted: &ShardCore,
) -> Result<CoreMove, StepError> {
    let work = async { Ok::<_, StepError>(smoke::check(plane, uid).await?) };
    let before = steps.run("core-before", work).await?;
    let moving = CoreMove {
        from: held.version.clone(),
        to: wanted.version.clone(),
        phase: MovePhase::Begun,
        before,
    };
    plane.tenants.update(uid, |entry| {
        entry.refused = None;
        entry.moving = Some(moving.clone());
    })?;
    Ok(moving)
}

/// Keeps visitors away, and ends what works for them.
async fn close(plane: &Plane, slot: Slot) -> Result<(), StepError> {
    if !publish::run(plane).await? {
        return Err(StepError {
            message: "the gateway does not yet know that visitors are to be kept away".to_owned(),
            retryable: true,
        });
    }
    plane.drivers.php.recycle_slot(slot, Recycle::Kill).await?;
    Ok(())
}

async fn keep_copy(plane: &Plane, uid: TenantUid) -> Result<(), StepError> {
    plane.drivers.database.snapshot(uid).await?;
    Ok(())
}

/// Puts the new core in place, upgrades the database and looks; says what does not work.
async fn forward(
    plane: &Plane,
    steps: &Steps<'_>,
    uid: TenantUid,
    slot: Slot,
    new: &ShardCore,
    moving: &CoreMove,
) -> Result<Option<String>, StepError> {
    steps.run("core-switch", switch(plane, uid, slot, new)).await?;
    if let Some(words) = steps.run("core-upgrade", upgrade(plane, uid, slot)).await? {
        return Ok(Some(words));
    }
    let check = async {
        let after = smoke::check(plane, uid).await?;
        Ok::<_, StepError>(after.worse_than(&moving.before))
    };
    steps.run("core-check", check).await
}

/// Lets the slot's PHP run this core from the next request on.
async fn switch(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
    core: &ShardCore,
) -> Result<(), StepError> {
    plane.tenants.update(uid, |entry| entry.core_version = Some(core.version.clone()))?;
    let entry = entry(plane, uid)?;
    let config = build::site_config(plane, &entry, slot, core);
    plane.drivers.files.write_site_json(slot, &config).await?;
    plane.drivers.php.recycle_slot(slot, Recycle::Kill).await?;
    Ok(())
}

/// WordPress's own upgrade of the database; what it said when it failed.
pub(super) async fn upgrade(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
) -> Result<Option<String>, StepError> {
    let args = ["core", "update-db", "--skip-plugins", "--skip-themes"];
    let call = ExecCall { time_limit: UPGRADE_LIMIT, ..ExecCall::agent(uid, slot, &args) };
    let output = plane.drivers.exec.output(call).await?;
    if output.succeeded() {
        return Ok(None);
    }
    // An agent that finds its database gone says so by 75 (`EX_TEMPFAIL`).
    if output.exit == ExecExit::Code(75) {
        return Err(StepError { message: said(&output), retryable: true });
    }
    Ok(Some(format!("the upgrade of its database failed: {}", said(&output))))
}

fn said(output: &ExecOutput) -> String {
    let ended = match output.exit {
        ExecExit::TimedOut => "it took too long. ",
        ExecExit::Signal(_) => "it was ended by a signal. ",
        ExecExit::Code(_) => "",
    };
    let text = String::from_utf8_lossy(&output.err);
    let text = text.trim().strip_prefix("Error: ").unwrap_or(text.trim());
    format!("{ended}{}", text.chars().take(SAID_CHARS).collect::<String>())
}

/// Everything as it was before.
async fn back(plane: &Plane, uid: TenantUid, slot: Slot, old: &ShardCore) -> Result<(), StepError> {
    plane.drivers.php.recycle_slot(slot, Recycle::Kill).await?;
    plane.drivers.database.restore_snapshot(uid).await?;
    switch(plane, uid, slot, old).await?;
    // What the object cache has of the database that is gone must not be believed.
    let flush = ["cache", "flush", "--skip-plugins", "--skip-themes"];
    match plane.drivers.exec.output(ExecCall::agent(uid, slot, &flush)).await {
        Ok(output) if output.succeeded() => Ok(()),
        // The site's own code (`db.php`) is in the way: that must not keep its visitors away for ever.
        Ok(output) => {
            let said = said(&output);
            tracing::warn!(tenant_id = %uid, said, "the object cache is not flushed");
            Ok(())
        }
        Err(error @ DriverError::Invalid { .. }) => {
            tracing::warn!(tenant_id = %uid, %error, "the object cache is not flushed");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The new version stays: what was kept for the way back goes.
async fn settle(plane: &Plane, uid: TenantUid) -> Result<(), StepError> {
    plane.drivers.database.drop_snapshot(uid).await?;
    Ok(())
}

fn set_phase(plane: &Plane, uid: TenantUid, phase: MovePhase) -> Result<MovePhase, StepError> {
    plane.tenants.update(uid, |entry| {
        if let Some(moving) = &mut entry.moving {
            moving.phase = phase.clone();
        }
    })?;
    Ok(phase)
}

/// The move is over, and visitors may come again.
fn end(
    plane: &Plane,
    uid: TenantUid,
    core: &ShardCore,
    words: Option<String>,
) -> Result<(), StepError> {
    plane.tenants.update(uid, |entry| {
        let to = entry.moving.take().map(|moving| moving.to);
        entry.core_version = Some(core.version.clone());
        entry.refused = words.map(|message| RefusedMove {
            wanted: entry.intent.spec.wordpress.version.clone().or(to).unwrap_or_default(),
            message,
        });
    })?;
    Ok(())
}

fn refuse(plane: &Plane, uid: TenantUid, message: String) -> Result<(), StepError> {
    plane.tenants.update(uid, |entry| {
        let wanted = entry.intent.spec.wordpress.version.clone().unwrap_or_default();
        entry.refused = Some(RefusedMove { wanted, message });
    })?;
    Ok(())
}

fn entry(plane: &Plane, uid: TenantUid) -> Result<std::sync::Arc<Entry>, StepError> {
    plane.tenants.fetch(uid).map(|tenant| tenant.entry).ok_or_else(|| StepError {
        message: "the tenant is not known here any more".to_owned(),
        retryable: true,
    })
}

async fn resolve(plane: &Plane, version: &str) -> Result<ShardCore, StepError> {
    let core = plane.cores.resolve(Some(version)).await;
    core.map_err(|message| StepError { message, retryable: false })
}
