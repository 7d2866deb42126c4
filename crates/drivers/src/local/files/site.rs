//! A site's folder: `wp-content` and what WordPress must be able to write, owned by the slot that
//! the site sits in. A new one is made beside and renamed into place.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Component;
use std::path::Path;

use aipress_types::TenantUid;

use super::Disk;
use super::SeedFile;
use super::at;
use super::log;
use super::project;
use super::slot;
use super::tree;
use crate::Ensured;
use crate::error::DriverError;
use crate::layout::Slot;
use crate::local::beneath;
use crate::uids::UnixIds;

/// What names of folders begin with that are being made.
pub(super) const NEW_PREFIX: &str = ".new-";

/// Folders of a fresh site, parents first, with their modes.
const FOLDERS: &[(&str, u32)] = &[
    ("wp-content", 0o750),
    ("wp-content/plugins", 0o750),
    ("wp-content/themes", 0o750),
    ("wp-content/uploads", 0o750),
    ("wp-content/languages", 0o750),
    ("wp-content/upgrade", 0o750),
    ("wp-content/mu-plugins", 0o750),
    ("private", 0o700),
    ("private/login", 0o700),
];

/// Whether the site has no folder yet and may get one.
pub(super) fn is_missing(disk: &Disk, uid: TenantUid, slot: Slot) -> Result<bool, DriverError> {
    check_place(disk, uid, slot)?;
    Ok(!disk.paths.site(uid).exists())
}

/// Makes the site's folder and the slot's link to it.
pub(super) fn ensure(disk: &Disk, uid: TenantUid, slot: Slot) -> Result<Ensured, DriverError> {
    let linked = check_place(disk, uid, slot)?;
    log::ensure(disk, uid)?;
    let made = make(disk, uid, slot)?;
    check_owner(disk, uid, slot)?;
    if linked.is_none() {
        slot::link(disk, slot, uid)?;
    }
    Ok(match (made, linked) {
        (true, _) => Ensured::Created,
        (false, None) => Ensured::Repaired,
        (false, Some(_)) => Ensured::Kept,
    })
}

/// Whom the slot is linked to: this site or nobody. Refuses what would be two sites in one slot, one
/// in two, or one beside its former self in the trash.
fn check_place(disk: &Disk, uid: TenantUid, slot: Slot) -> Result<Option<TenantUid>, DriverError> {
    let what = || format!("ensure folder of site {uid}");
    let linked = slot::linked(disk, slot)?;
    if linked.is_some_and(|other| other != uid) {
        return Err(DriverError::conflict(
            what(),
            format!("slot {slot} still has another site; clear the slot first"),
        ));
    }
    if linked.is_none() {
        for other in Slot::all().filter(|other| *other != slot) {
            if slot::linked(disk, other)? == Some(uid) {
                return Err(DriverError::conflict(
                    what(),
                    format!("it sits in slot {other}; clear that slot first"),
                ));
            }
        }
    }
    let path = disk.paths.site(uid);
    if !path.exists() && disk.paths.trash().join(uid.to_string()).exists() {
        return Err(DriverError::conflict(what(), "it is in the trash; restore it instead"));
    }
    Ok(linked)
}

fn make(disk: &Disk, uid: TenantUid, slot: Slot) -> Result<bool, DriverError> {
    let path = disk.paths.site(uid);
    if path.exists() {
        return Ok(false);
    }
    let fail = at("make site's folder", &path);
    let own = disk.ids.slot(slot);
    let sites = beneath::open_dir(&disk.paths.sites()).map_err(&fail)?;
    let name = format!("{NEW_PREFIX}{uid}");
    tree::remove(&sites, OsStr::new(&name)).map_err(&fail)?;
    // Root's until it is complete, so that nothing can move in it while it is filled.
    let (dir, _) = beneath::make_dir_at(&sites, &name, disk.ids.root(), 0o700).map_err(&fail)?;
    project::begin(disk, &dir, uid).map_err(&fail)?;
    make_folders(&dir, own).map_err(&fail)?;
    for seed in &disk.seed {
        write_seed(&dir, seed, own).map_err(&fail)?;
    }
    beneath::own(&dir, own, 0o750).map_err(&fail)?;
    rustix::fs::fsync(&dir).map_err(|errno| fail(errno.into()))?;
    rustix::fs::renameat(&sites, &*name, &sites, uid.to_string())
        .and_then(|()| rustix::fs::fsync(&sites))
        .map_err(|errno| fail(errno.into()))?;
    Ok(true)
}

/// Makes the folders that each site has.
pub(super) fn make_folders(dir: &OwnedFd, own: UnixIds) -> io::Result<()> {
    for (folder, mode) in FOLDERS {
        make_path(dir, Path::new(folder), own, *mode)?;
    }
    Ok(())
}

/// Makes a folder below `dir` with its parents, and opens it.
fn make_path(dir: &OwnedFd, path: &Path, own: UnixIds, mode: u32) -> io::Result<OwnedFd> {
    let mut at = rustix::io::fcntl_dupfd_cloexec(dir, 0)?;
    for part in path.components() {
        let Component::Normal(name) = part else {
            return Err(io::Error::other("not a plain path below the site's folder"));
        };
        let name = name.to_str().ok_or_else(|| io::Error::other("a name is not utf-8"))?;
        at = beneath::make_dir_at(&at, name, own, mode)?.0;
    }
    Ok(at)
}

fn write_seed(dir: &OwnedFd, seed: &SeedFile, own: UnixIds) -> io::Result<()> {
    let parent = seed.path.parent().unwrap_or(Path::new(""));
    let name = seed.path.file_name().and_then(OsStr::to_str);
    let name = name.ok_or_else(|| io::Error::other("a seed without a plain name"))?;
    let folder = make_path(dir, parent, own, 0o750)?;
    beneath::write_at(&folder, name, &seed.contents, own, 0o640)
}

/// Refuses a folder that belongs to another slot's user: giving it away takes a restore.
fn check_owner(disk: &Disk, uid: TenantUid, slot: Slot) -> Result<(), DriverError> {
    let path = disk.paths.site(uid);
    let fail = at("ensure site's folder", &path);
    let dir = beneath::open_dir(&path).map_err(&fail)?;
    let stat = rustix::fs::fstat(&dir).map_err(|errno| fail(errno.into()))?;
    if stat.st_uid == disk.ids.slot(slot).uid {
        return Ok(());
    }
    Err(DriverError::conflict(
        format!("ensure folder of site {uid}"),
        format!("it is user {}'s and not slot {slot}'s; trash and restore it", stat.st_uid),
    ))
}
