//! Gold shares no memory: its slot gets a php-fpm master of its own, and gives it up when the site
//! is suspended, leaves the slot or changes its tier. Visitors go over without a failed request:
//! the new master listens before the gateway is told, and the old one is ended when nobody is
//! connected to it any more.

use aipress_drivers::Recycle;
use aipress_drivers::Slot;
use aipress_types::DesiredState;
use aipress_types::TenantIntent;
use aipress_types::TenantUid;
use aipress_types::Tier;

use crate::journal::Entry;
use crate::journal::Master;
use crate::plane::Plane;
use crate::steps::StepError;

/// Whether the tenant is to have a master of its own.
pub(crate) fn is_wanted(intent: &TenantIntent) -> bool {
    intent.desired == DesiredState::Active && intent.spec.tier == Tier::Gold
}

/// Makes sure that the slot's own master listens; the next table sends visitors to it.
pub(super) async fn start(plane: &Plane, entry: &Entry, slot: Slot) -> Result<(), StepError> {
    let uid = entry.intent.uid;
    let php = &plane.drivers.php;
    let runs = php.master_health(slot).await.is_ok();
    match entry.master {
        Master::Own if runs => return Ok(()),
        Master::Own | Master::Beside => {}
        Master::Shared => {
            // Nobody remembers that one: it may hold what somebody else's PHP left in its memory.
            if runs {
                php.end_master(slot, Recycle::Kill).await?;
            }
            // Said before it is begun: what may run is never forgotten.
            plane.tenants.update(uid, |entry| entry.master = Master::Beside)?;
        }
    }
    php.ensure_master(slot).await?;
    Ok(plane.tenants.update(uid, |entry| entry.master = Master::Own)?)
}

/// Sends visitors to the shard's master from the next table on.
pub(super) fn leave(plane: &Plane, entry: &Entry) -> Result<(), StepError> {
    if entry.master == Master::Own {
        plane.tenants.update(entry.intent.uid, |entry| entry.master = Master::Beside)?;
    }
    Ok(())
}

/// Ends the master that visitors have left, at once.
pub(super) async fn end(plane: &Plane, entry: &Entry, slot: Slot) -> Result<(), StepError> {
    if entry.master == Master::Shared {
        return Ok(());
    }
    plane.drivers.php.end_master(slot, Recycle::Kill).await?;
    shared(plane, entry.intent.uid)
}

/// Ends the master that visitors have left, once the last of them has his answer. `told` is
/// whether the gateway has taken the table that sends them elsewhere.
pub(super) async fn end_unused(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
    told: bool,
) -> Result<(), StepError> {
    let again = |message: &str| StepError { message: message.to_owned(), retryable: true };
    if !told {
        return Err(again("the gateway does not yet know that the site has another php-fpm"));
    }
    if !plane.drivers.php.end_master(slot, Recycle::Graceful).await? {
        return Err(again("the site's own php-fpm still answers its last requests"));
    }
    shared(plane, uid)
}

fn shared(plane: &Plane, uid: TenantUid) -> Result<(), StepError> {
    Ok(plane.tenants.update(uid, |entry| entry.master = Master::Shared)?)
}
