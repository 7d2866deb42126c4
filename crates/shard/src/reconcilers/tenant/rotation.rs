//! Takes a site to other secrets without a failed request: database and cache take the new
//! passwords beside the old ones, then `site.json` gets the new ones, which PHP reads at each
//! request, and the old ones go when whoever may have read them is gone. Workers end after the
//! request that they are at.
//!
//! One change at a time: newer secrets wait until the former ones are gone, so that a server never
//! takes more than two passwords. Salts have no old and new side by side: a cookie is signed by
//! one of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_drivers::CacheUser;
use aipress_drivers::DriverError;
use aipress_drivers::Slot;
use aipress_drivers::SlotProcess;
use aipress_types::Secret;
use aipress_types::TenantSecrets;
use aipress_types::TenantUid;
use tokio::time::Instant;

use crate::journal::Entry;
use crate::journal::Rotation;
use crate::plane::Plane;
use crate::steps::StepError;

/// The step in which the new passwords are let in.
pub(super) const BEGIN: &str = "secrets";
/// The step in which the old ones go.
pub(super) const END: &str = "secrets-end";

/// Longest wait for processes that may have read the old passwords: what a request may take in PHP
/// (300 s), and a little. A `wp` command may take longer: it goes on with the connections that it
/// has.
const PATIENCE: Duration = Duration::from_secs(310);
/// How long one look waits for them before others have their turn.
const TURN: Duration = Duration::from_secs(2);
/// Between two looks within a turn.
const LOOK: Duration = Duration::from_millis(50);

/// Processes that may have read what a site used before, by tenant. Not kept: after a restart
/// whoever runs then is waited for.
#[derive(Debug, Default)]
pub(crate) struct Readers(Mutex<BTreeMap<TenantUid, Seen>>);

#[derive(Debug, Clone)]
struct Seen {
    /// Readers of these.
    former: TenantSecrets,
    since: Instant,
    processes: Vec<SlotProcess>,
}

/// Whether the tenant is on its way to other secrets.
pub(super) fn is_under_way(entry: &Entry) -> bool {
    entry.rotation.is_some()
}

/// What its database and its cache take.
pub(super) fn passwords(entry: &Entry) -> (Vec<Secret>, Vec<Secret>) {
    let former = entry.rotation.as_ref().and_then(|rotation| rotation.former.as_ref());
    let both = |of: fn(&TenantSecrets) -> &Secret| {
        let mut all = vec![of(entry.secrets()).clone()];
        all.extend(former.map(of).filter(|former| **former != all[0]).cloned());
        all
    };
    (both(|secrets| &secrets.db_password), both(|secrets| &secrets.redis_password))
}

/// Lets the new passwords in beside the old ones; the site still uses these.
pub(super) async fn begin(plane: &Plane, uid: TenantUid) -> Result<(), StepError> {
    // Said before it is done: the old ones are never forgotten while somebody may use them.
    plane.tenants.update(uid, |entry| {
        let wanted = &entry.intent.secrets;
        if let Some(Rotation { used, former: former @ None }) = &mut entry.rotation {
            *former = Some(std::mem::replace(used, wanted.clone()));
        }
    })?;
    let Some(tenant) = plane.tenants.fetch(uid) else { return Ok(()) };
    let (database, cache) = passwords(&tenant.entry);
    match plane.drivers.database.set_passwords(uid, &database).await {
        // Somebody removed the user. It is made again by the step that looks after the database.
        Ok(_) | Err(DriverError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    plane.drivers.cache.ensure_user(&CacheUser { uid, passwords: cache }).await?;
    Ok(())
}

/// Takes the old passwords away, once nobody can come with them any more. `site.json` has the new
/// ones.
pub(super) async fn end(plane: &Plane, uid: TenantUid, slot: Slot) -> Result<(), StepError> {
    let Some(tenant) = plane.tenants.fetch(uid) else { return Ok(()) };
    let rotation = tenant.entry.rotation.clone();
    let Some(Rotation { used, former: Some(former) }) = rotation else { return Ok(()) };
    let is_one_password =
        used.db_password == former.db_password && used.redis_password == former.redis_password;
    if !is_one_password {
        wait(plane, uid, slot, former).await?;
        plane.drivers.database.set_passwords(uid, &[used.db_password]).await?;
        let passwords = vec![used.redis_password];
        plane.drivers.cache.ensure_user(&CacheUser { uid, passwords }).await?;
    }
    plane.tenants.update(uid, |entry| {
        if let Some(rotation) = &mut entry.rotation {
            rotation.former = None;
        }
        entry.rotation.take_if(|rotation| rotation.used == entry.intent.secrets);
    })?;
    plane.readers.forget(uid);
    match plane.tenants.fetch(uid).is_some_and(|tenant| is_under_way(&tenant.entry)) {
        true => Err(StepError {
            message: "other secrets were asked for meanwhile: they are next".to_owned(),
            retryable: true,
        }),
        false => Ok(()),
    }
}

/// Waits for whoever ran when the site had got its new secrets.
async fn wait(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
    former: TenantSecrets,
) -> Result<(), StepError> {
    let php = &plane.drivers.php;
    let seen = match plane.readers.fetch(uid, &former) {
        Some(seen) => seen,
        None => {
            let processes = php.processes(slot).await?;
            plane.readers.keep(uid, Seen { former, since: Instant::now(), processes })
        }
    };
    let begun = Instant::now();
    loop {
        let left = php.retire(slot, &seen.processes).await?;
        if left == 0 {
            return Ok(());
        }
        if seen.since.elapsed() >= PATIENCE {
            tracing::warn!(
                tenant_id = %uid, left,
                "processes of the site that began with its former secrets go on without them"
            );
            return Ok(());
        }
        if begun.elapsed() >= TURN {
            return Err(StepError {
                message: format!(
                    "{left} of the site's processes began with the old passwords and are still at \
                     work; these are taken away when they have ended, or in {} s",
                    (PATIENCE - seen.since.elapsed().min(PATIENCE)).as_secs()
                ),
                retryable: true,
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Readers {
    fn fetch(&self, uid: TenantUid, former: &TenantSecrets) -> Option<Seen> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&uid).filter(|seen| seen.former == *former).cloned()
    }

    fn keep(&self, uid: TenantUid, seen: Seen) -> Seen {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(uid, seen.clone());
        seen
    }

    /// Of a tenant that waits for nobody any more.
    pub(super) fn forget(&self, uid: TenantUid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid);
    }
}
