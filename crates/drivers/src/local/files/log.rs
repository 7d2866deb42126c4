//! The folder of a site's log: made before the gateway writes there, which makes none by itself, so
//! that what was erased never comes back by a late line.

use std::ffi::OsStr;

use aipress_types::TenantUid;

use super::Disk;
use super::at;
use super::tree;
use crate::error::DriverError;
use crate::local::beneath;

/// Makes it, for the gateway alone.
pub(super) fn ensure(disk: &Disk, uid: TenantUid) -> Result<(), DriverError> {
    let path = disk.paths.site_logs();
    let fail = at("make folder of the site's log", &path);
    let logs = beneath::open_dir(&path).map_err(&fail)?;
    beneath::make_dir_at(&logs, &uid.to_string(), disk.ids.gateway(), 0o700).map_err(&fail)?;
    Ok(())
}

/// Removes it. Says whether there was one.
pub(super) fn erase(disk: &Disk, uid: TenantUid) -> Result<bool, DriverError> {
    let path = disk.paths.site_logs();
    let fail = at("erase the site's log", &path);
    let logs = beneath::open_dir(&path).map_err(&fail)?;
    tree::remove(&logs, OsStr::new(&uid.to_string())).map_err(&fail)
}
