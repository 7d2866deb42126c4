//! Deleted sites: moved away at once, kept for an undelete, removed for good at the last word.

use std::ffi::OsStr;

use aipress_types::TenantUid;

use super::Disk;
use super::at;
use super::log;
use super::project;
use super::tree;
use crate::Ensured;
use crate::error::DriverError;
use crate::files::Restored;
use crate::layout::Slot;
use crate::local::beneath;

/// What names of folders begin with whose removal has begun.
pub(super) const ERASING_PREFIX: &str = "erase-";

/// Moves a site's folder to the trash.
pub(super) fn put(disk: &Disk, uid: TenantUid) -> Result<Ensured, DriverError> {
    let (site, trashed) = (disk.paths.site(uid), disk.paths.trash().join(uid.to_string()));
    match (site.exists(), trashed.exists()) {
        (false, true) => Ok(Ensured::Kept),
        (true, true) => Err(DriverError::conflict(
            format!("move site {uid} to the trash"),
            "there is one in the trash already; look at both and remove one by hand",
        )),
        (false, false) => {
            Err(DriverError::conflict(format!("move site {uid} to the trash"), "it has no folder"))
        }
        (true, false) => {
            rename(disk, "sites", &uid.to_string(), &uid.to_string())?;
            Ok(Ensured::Repaired)
        }
    }
}

/// Gives a site's folder to the slot's user, in the trash where nobody can interfere, and moves it
/// back. Killed in between, the next call goes on.
pub(super) fn restore(disk: &Disk, uid: TenantUid, slot: Slot) -> Result<Restored, DriverError> {
    let (site, trashed) = (disk.paths.site(uid), disk.paths.trash().join(uid.to_string()));
    let own = disk.ids.slot(slot);
    let what = || format!("restore site {uid}");
    if site.exists() {
        let fail = at("restore site", &site);
        let dir = beneath::open_dir(&site).map_err(&fail)?;
        let owner = rustix::fs::fstat(&dir).map_err(|errno| fail(errno.into()))?.st_uid;
        return if owner == own.uid && !trashed.exists() {
            Ok(Restored::default())
        } else {
            Err(DriverError::conflict(what(), "it is in place already, for another slot"))
        };
    }
    if !trashed.exists() {
        return Err(DriverError::conflict(what(), "it is not in the trash"));
    }
    let fail = at("restore site", &trashed);
    let dir = beneath::open_dir(&trashed).map_err(&fail)?;
    let done = tree::give(&dir, own).map_err(&fail)?;
    beneath::own(&dir, own, 0o750).map_err(&fail)?;
    // Owners and modes must be on disk before the folder is where the slot's user sees it.
    rustix::fs::syncfs(&dir).map_err(|errno| fail(errno.into()))?;
    rename(disk, "trash", &uid.to_string(), &uid.to_string())?;
    Ok(done)
}

/// Puts a site's folder where only its removal is left to do, from wherever it is; quick, however
/// much is in it.
pub(super) fn condemn(disk: &Disk, uid: TenantUid) -> Result<Condemned, DriverError> {
    let trash_path = disk.paths.trash();
    let fail = at("erase site", &trash_path);
    let trash = beneath::open_dir(&trash_path).map_err(&fail)?;
    let erasing = format!("{ERASING_PREFIX}{uid}");
    // Also what an interrupted removal had moved up.
    let names = beneath::names(&trash).map_err(&fail)?;
    if names.iter().any(|name| *name == *erasing || tree::is_deep(name)) {
        return Ok(Condemned::Waits);
    }
    let from = if disk.paths.site(uid).exists() {
        "sites"
    } else if beneath::stat_at(&trash, &uid.to_string()).map_err(&fail)?.is_some() {
        "trash"
    } else {
        let sites = beneath::open_dir(&disk.paths.sites()).map_err(&fail)?;
        let mut found = false;
        for prefix in [super::site::NEW_PREFIX, super::import::IMPORT_PREFIX] {
            let unfinished = format!("{prefix}{uid}");
            found |= tree::remove(&sites, OsStr::new(&unfinished)).map_err(&fail)?;
        }
        // Last: while there is a folder, there is a site that a line may be about.
        found |= log::erase(disk, uid)?;
        return Ok(if found { Condemned::Unfinished } else { Condemned::Nothing });
    };
    // The new name says that there is no way back, also to whoever reads it after a crash.
    rename_between(disk, from, "trash", &uid.to_string(), &erasing)?;
    Ok(Condemned::Waits)
}

/// What [`condemn`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condemned {
    /// A folder that waits for [`remove_condemned`].
    Waits,
    /// Only a log, or the beginning of a site that was never whole; it is gone now.
    Unfinished,
    /// Nothing.
    Nothing,
}

/// Removes a condemned folder for good. Takes as long as there are files in it.
pub(super) fn remove_condemned(disk: &Disk, uid: TenantUid) -> Result<(), DriverError> {
    let trash_path = disk.paths.trash();
    let fail = at("erase site", &trash_path);
    let trash = beneath::open_dir(&trash_path).map_err(&fail)?;
    let name = format!("{ERASING_PREFIX}{uid}");
    if beneath::stat_at(&trash, &name).map_err(&fail)?.is_some() {
        let site = beneath::open_dir_at(&trash, &name).map_err(&fail)?;
        project::release(disk, &site).map_err(&fail)?;
    }
    tree::remove(&trash, OsStr::new(&name)).map_err(&fail)?;
    for name in beneath::names(&trash).map_err(&fail)? {
        if tree::is_deep(&name) {
            tree::remove(&trash, &name).map_err(&fail)?;
        }
    }
    rustix::fs::fsync(&trash).map_err(|errno| fail(errno.into()))
}

/// Renames between `sites` and `trash` and makes both ends durable.
fn rename(disk: &Disk, from: &str, name: &str, to_name: &str) -> Result<(), DriverError> {
    let to = if from == "sites" { "trash" } else { "sites" };
    rename_between(disk, from, to, name, to_name)
}

fn rename_between(
    disk: &Disk,
    from: &str,
    to: &str,
    name: &str,
    to_name: &str,
) -> Result<(), DriverError> {
    let path = disk.paths.dir().join(from).join(name);
    let fail = at("move site's folder", &path);
    let from = beneath::open_dir(&disk.paths.dir().join(from)).map_err(&fail)?;
    let to = beneath::open_dir(&disk.paths.dir().join(to)).map_err(&fail)?;
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(&from, name, &to, to_name, flags)
        .and_then(|()| rustix::fs::fsync(&to))
        .and_then(|()| rustix::fs::fsync(&from))
        .map_err(|errno| fail(errno.into()))
}
