//! The table of sites for the gateway, made from what is kept of the tenants.

use aipress_api::internal::SiteEntry;
use aipress_api::internal::SiteState;
use aipress_drivers::Slot;
use aipress_types::DesiredState;

use crate::journal::Master;
use crate::plane::Plane;
use crate::reconcilers::tenant::php_settings;
use crate::tenants::Tenant;

/// Every site that sits in a slot.
pub(crate) fn table(plane: &Plane) -> Vec<SiteEntry> {
    plane.tenants.list().iter().filter_map(|tenant| entry(plane, tenant)).collect()
}

/// A site that sits in a slot.
pub(crate) fn entry(plane: &Plane, tenant: &Tenant) -> Option<SiteEntry> {
    let entry = &tenant.entry;
    let intent = &entry.intent;
    let slot = entry.slot.and_then(Slot::new)?;
    let state = match intent.desired {
        DesiredState::Active if entry.is_served() => SiteState::Serving,
        DesiredState::Active => SiteState::Starting,
        DesiredState::Suspended => SiteState::Suspended,
        DesiredState::Deleted | DesiredState::Erased => return None,
    };
    let paths = &plane.config.paths;
    let (tier, runtime) = (intent.spec.tier, &intent.spec.runtime);
    let (php_admin_values, php_values) = php_settings::told(entry)
        .into_iter()
        .map(|(setting, value)| (setting.fixed, (setting.name.to_owned(), value)))
        .partition::<Vec<_>, _>(|(fixed, _)| *fixed);
    Some(SiteEntry {
        uid: intent.uid,
        name: intent.name.to_string(),
        hosts: intent.hosts.clone(),
        tier,
        state,
        slot: slot.number(),
        core_dir: paths.data().core(entry.core_version.as_deref()?),
        site_dir: paths.site(intent.uid),
        slot_dir: paths.slot(slot),
        php_dir: plane.config.php_dir.clone(),
        fpm_socket: match entry.master {
            Master::Own => paths.fpm_own_socket(slot),
            Master::Shared | Master::Beside => paths.fpm_socket(slot),
        },
        max_workers: runtime.workers_max(tier).min(tenant.workers_held.unwrap_or(u32::MAX)),
        min_workers: runtime.workers_min(tier),
        php_values: php_values.into_iter().map(|(_, told)| told).collect(),
        php_admin_values: php_admin_values.into_iter().map(|(_, told)| told).collect(),
        php_in_uploads: intent.spec.security.php_in_uploads.unwrap_or(false),
    })
}
