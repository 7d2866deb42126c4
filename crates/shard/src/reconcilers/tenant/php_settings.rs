//! A tenant's PHP settings go with each request, and PHP keeps them in the worker: when they
//! change, the slot's workers are replaced, each after the request that it is at. A tenant that
//! ever had settings is told all of them for ever, so that a worker that a late request has set
//! otherwise is set right by the next one.

use std::collections::BTreeMap;

use aipress_drivers::Recycle;
use aipress_drivers::Slot;
use aipress_types::TenantUid;
use aipress_types::spec::php::Setting;

use crate::journal::Entry;
use crate::plane::Plane;
use crate::steps::StepError;

/// What the gateway says with each request.
pub(crate) fn told(entry: &Entry) -> Vec<(&'static Setting, String)> {
    let spec = &entry.intent.spec;
    if spec.php.settings.is_empty() && entry.php_told.is_empty() {
        return Vec::new();
    }
    spec.php.told(spec.tier)
}

/// Replaces the slot's workers when they may hold other settings. `gateway_told` is whether the
/// gateway has taken the table with the settings.
pub(super) async fn renew(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
    gateway_told: bool,
) -> Result<(), StepError> {
    let Some(tenant) = plane.tenants.fetch(uid) else { return Ok(()) };
    let wanted: BTreeMap<String, String> = told(&tenant.entry)
        .into_iter()
        .map(|(setting, value)| (setting.name.to_owned(), value))
        .collect();
    if wanted == tenant.entry.php_told {
        return Ok(());
    }
    if !gateway_told {
        let message = "the gateway does not know the PHP settings yet".to_owned();
        return Err(StepError { message, retryable: true });
    }
    plane.drivers.php.recycle_slot(slot, Recycle::Graceful).await?;
    Ok(plane.tenants.update(uid, |entry| entry.php_told = wanted)?)
}
