//! Takes a site out of its slot and keeps it aside; and erases one for good.

use aipress_drivers::DriverError;
use aipress_drivers::Recycle;
use aipress_drivers::Slot;

use crate::journal::Entry;
use crate::plane::Plane;
use crate::reconcilers::tenant::master;
use crate::reconcilers::tenant::publish;
use crate::steps::StepError;
use crate::steps::Steps;

/// Steps towards a deleted site (workers killed, files to the trash, database kept aside), and
/// towards an erased one.
pub(super) const REMOVED: &[&str] = &["unroute", "workers", "files", "cache", "database", "slot"];

/// Frees the slot at once; files and database can be brought back.
pub(super) async fn set_aside(
    plane: &Plane,
    steps: &Steps<'_>,
    entry: &Entry,
) -> Result<(), StepError> {
    let uid = entry.intent.uid;
    let drivers = &plane.drivers;
    // Said before it is begun: what is half aside is brought back whole.
    // Nobody is left who uses former secrets: whoever runs is killed, and killed again before it is
    // brought back.
    plane.tenants.update(uid, |entry| {
        entry.aside = true;
        entry.rotation = None;
    })?;
    plane.readers.forget(uid);
    leave_slot(plane, steps, entry).await?;
    let files = async { if_there(entry, drivers.files.trash_site(uid).await) };
    let files = steps.run("files", files).await?;
    steps.run("cache", async { Ok(drivers.cache.remove_user(uid).await?) }).await?;
    let database = async {
        let kept = if_there(entry, drivers.database.set_aside(uid).await)?;
        if kept.is_none() {
            // A half-made database is nobody's data: nothing to keep.
            drivers.database.erase(uid).await?;
        }
        Ok(kept)
    };
    let database = steps.run("database", database).await?;
    if files.is_none() && database.is_none() {
        plane.tenants.update(uid, |entry| entry.aside = false)?;
    }
    free_slot(plane, steps, entry).await
}

/// What a driver did with something that is kept. Of a site that was never whole (its making
/// failed, was cut off by its deletion, or never began) it may be missing, which is a conflict to
/// the driver and nothing to mend: such a site could be neither deleted nor erased.
pub(super) fn if_there<T>(
    entry: &Entry,
    done: Result<T, DriverError>,
) -> Result<Option<T>, StepError> {
    match done {
        Err(DriverError::Conflict { .. }) if !entry.built => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// Removes everything; only the intent's file is left, until meta has recorded the erasure.
pub(super) async fn erase(
    plane: &Plane,
    steps: &Steps<'_>,
    entry: &Entry,
) -> Result<(), StepError> {
    let uid = entry.intent.uid;
    let drivers = &plane.drivers;
    leave_slot(plane, steps, entry).await?;
    plane.mails.forget(uid);
    steps.run("files", async { Ok(drivers.files.erase_site(uid).await?) }).await?;
    steps.run("cache", async { Ok(drivers.cache.remove_user(uid).await?) }).await?;
    steps.run("database", async { Ok(drivers.database.erase(uid).await?) }).await?;
    free_slot(plane, steps, entry).await
}

/// Ends what runs in the slot and empties it; the tenant keeps its claim until that is done.
async fn leave_slot(plane: &Plane, steps: &Steps<'_>, entry: &Entry) -> Result<(), StepError> {
    master::leave(plane, entry)?;
    // The gateway lets go before the workers are ended, or it would start new ones.
    steps.run("unroute", publish::run(plane)).await?;
    steps
        .run("workers", async {
            if let Some(slot) = entry.slot.and_then(Slot::new) {
                plane.drivers.php.recycle_slot(slot, Recycle::Kill).await?;
                master::end(plane, entry, slot).await?;
                plane.drivers.files.clear_slot(slot).await?;
            }
            Ok(())
        })
        .await
}

async fn free_slot(plane: &Plane, steps: &Steps<'_>, entry: &Entry) -> Result<(), StepError> {
    let uid = entry.intent.uid;
    steps.run("slot", async { Ok(plane.tenants.update(uid, |entry| entry.slot = None)?) }).await
}
