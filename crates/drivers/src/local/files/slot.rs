//! A slot's folder: what PHP reads to know its tenant, a link to the tenant's folder, and a place
//! for temporary files.

use std::path::Path;

use aipress_types::TenantUid;
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::Disk;
use super::at;
use super::left;
use super::project;
use super::tree;
use crate::Ensured;
use crate::error::DriverError;
use crate::files::SiteConfig;
use crate::layout::ShardPaths;
use crate::layout::Slot;
use crate::local::beneath;
use crate::local::beneath::beside;
use crate::uids::UnixIds;

/// Name of the file with identity and credentials.
pub(super) const CONFIG: &str = "site.json";
/// Name of the link to the site's folder.
pub(super) const LINK: &str = "site";
/// Under which names the link and the temporary folder are made.
const NEW_LINK: &str = ".site.new";
const NEW_TMP: &str = ".tmp.new";
/// Files of the platform's that stand in the folder.
pub(super) const FILES: [&str; 3] = [CONFIG, ShardPaths::SLOT_FULL, ShardPaths::SLOT_LIMITS];
/// What names in the trash begin with that are slots' former temporary folders.
pub(super) const OLD_TMP_PREFIX: &str = "tmp-";

/// Makes the slot's folder (0750 root:slot) and `tmp` with `sessions` (0700 slot).
pub(super) fn ensure(disk: &Disk, slot: Slot) -> Result<Ensured, DriverError> {
    let path = disk.paths.slot(slot);
    let fail = at("ensure slot", &path);
    let own = disk.ids.slot(slot);
    let group = UnixIds { uid: disk.ids.root().uid, gid: own.gid };
    let slots = beneath::open_dir(&disk.paths.slots()).map_err(&fail)?;
    let (dir, mut made) =
        beneath::make_dir_at(&slots, &slot.to_string(), group, 0o750).map_err(&fail)?;
    beneath::own(&dir, group, 0o750).map_err(&fail)?;
    if beneath::stat_at(&dir, "tmp").map_err(&fail)?.is_none() {
        // Complete before it stands at its place: it cannot be seen without `sessions`.
        tree::remove(&dir, NEW_TMP.as_ref()).map_err(&fail)?;
        let (tmp, _) = beneath::make_dir_at(&dir, NEW_TMP, own, 0o700).map_err(&fail)?;
        beneath::make_dir_at(&tmp, "sessions", own, 0o700).map_err(&fail)?;
        rustix::fs::renameat(&dir, NEW_TMP, &dir, "tmp").map_err(|e| fail(e.into()))?;
        made = true;
    }
    Ok(if made { Ensured::Created } else { Ensured::Kept })
}

/// The tenant whose link is in the slot; `Err` holds another target.
pub(super) fn linked(disk: &Disk, slot: Slot) -> Result<Option<TenantUid>, DriverError> {
    let path = disk.paths.slot(slot).join(LINK);
    match std::fs::read_link(&path) {
        Ok(target) => target
            .strip_prefix("../../sites")
            .ok()
            .and_then(Path::to_str)
            .and_then(|name| name.parse().ok())
            .map(Some)
            .ok_or_else(|| {
                DriverError::conflict(
                    format!("read {}", path.display()),
                    "it leads to no site; clear the slot",
                )
            }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DriverError::io("read slot's link", &path, error)),
    }
}

/// Points the slot's link to a site.
pub(super) fn link(disk: &Disk, slot: Slot, uid: TenantUid) -> Result<(), DriverError> {
    let path = disk.paths.slot(slot);
    let fail = |errno: Errno| DriverError::io("link slot to site", &path, errno);
    let dir = beneath::open_dir(&path).map_err(at("link slot to site", &path))?;
    match rustix::fs::unlinkat(&dir, NEW_LINK, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(fail(errno)),
    }
    rustix::fs::symlinkat(format!("../../sites/{uid}"), &dir, NEW_LINK).map_err(fail)?;
    rustix::fs::renameat(&dir, NEW_LINK, &dir, LINK).map_err(fail)?;
    rustix::fs::fsync(&dir).map_err(fail)
}

/// Replaces `site.json` (0440 root:slot).
pub(super) fn write_config(
    disk: &Disk,
    slot: Slot,
    config: &SiteConfig,
) -> Result<Ensured, DriverError> {
    let path = disk.paths.slot(slot).join(CONFIG);
    let text = serde_json::to_vec(config)
        .map_err(|error| DriverError::failed("write site.json", error))?;
    let ids = UnixIds { uid: disk.ids.root().uid, gid: disk.ids.slot(slot).gid };
    let there = path.exists();
    let written = beneath::write_if_differs(&path, &text, ids, 0o440)?;
    Ok(match (written, there) {
        (false, _) => Ensured::Kept,
        (true, true) => Ensured::Repaired,
        (true, false) => Ensured::Created,
    })
}

/// Whether this is something that was begun and stands at its place when it is whole: the next one
/// replaces it.
pub(super) fn is_begun(name: &str) -> bool {
    name == NEW_LINK || name == NEW_TMP || FILES.iter().any(|file| name == beside(file))
}

/// Takes credentials, link and temporary files away, in this order.
pub(super) fn clear(disk: &Disk, slot: Slot) -> Result<Ensured, DriverError> {
    let path = disk.paths.slot(slot);
    let fail = at("clear slot", &path);
    let mut changed = false;
    if path.exists() {
        let dir = beneath::open_dir(&path).map_err(&fail)?;
        let begun = FILES.map(beside);
        let begun = begun.iter().map(String::as_str).chain([NEW_LINK]);
        for name in FILES.into_iter().chain([LINK]).chain(begun) {
            match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
                Ok(()) => changed = true,
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(fail(errno.into())),
            }
        }
        tree::remove(&dir, NEW_TMP.as_ref()).map_err(&fail)?;
        rustix::fs::fsync(&dir).map_err(|errno| fail(errno.into()))?;
        changed |= empty_tmp(disk, slot, &dir).map_err(&fail)?;
    }
    sweep(disk)?;
    left::remove(disk, slot)?;
    Ok(if changed { Ensured::Repaired } else { Ensured::Kept })
}

/// Moves `tmp` to the trash, where no process of the tenant reaches it any more, unless it is as
/// good as new. `ensure` makes a new one.
fn empty_tmp(disk: &Disk, slot: Slot, dir: &std::os::fd::OwnedFd) -> std::io::Result<bool> {
    let Some(_) = beneath::stat_at(dir, "tmp")? else { return Ok(false) };
    let tmp = beneath::open_dir_at(dir, "tmp")?;
    let names = beneath::names(&tmp)?;
    if names == ["sessions"] && beneath::names(&beneath::open_dir_at(&tmp, "sessions")?)?.is_empty()
    {
        project::leave(disk, &tmp)?;
        return Ok(false);
    }
    let trash = beneath::open_dir(&disk.paths.trash())?;
    let nonce = aipress_kit::random::bytes::<8>().map_err(std::io::Error::other)?;
    let name = format!("{OLD_TMP_PREFIX}{slot}-{}", hex::encode(nonce));
    rustix::fs::renameat(dir, "tmp", &trash, &*name)?;
    rustix::fs::fsync(dir)?;
    Ok(true)
}

/// Removes what was moved to the trash to be removed: former temporary folders, also those of a
/// process that was killed before it got to it.
fn sweep(disk: &Disk) -> Result<(), DriverError> {
    let path = disk.paths.trash();
    let fail = at("empty trash of temporary files", &path);
    let trash = beneath::open_dir(&path).map_err(&fail)?;
    for name in beneath::names(&trash).map_err(&fail)? {
        let text = name.to_string_lossy();
        if text.starts_with(OLD_TMP_PREFIX) || text.starts_with(tree::DEEP_PREFIX) {
            tree::remove(&trash, &name).map_err(&fail)?;
        }
    }
    Ok(())
}
