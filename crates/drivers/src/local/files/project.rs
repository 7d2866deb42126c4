//! A site's project: what its file system holds it by, where it has project quotas. A site keeps its
//! number from its first folder to its erasure, in the trash as well, so that nothing is counted
//! twice and no tree is walked to move a site; its slot's temporary folder is of its occupant's.
//!
//! A folder of a project takes nothing in from another (`EXDEV`), so what is made beside a site to be
//! moved into it is in its project from the start. The site can't change what a file is of: that
//! takes ioctl(2), which PHP does not have.

use std::io;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;

use aipress_kit::project_quota;
use aipress_kit::project_quota::Most;
use aipress_kit::project_quota::Project;
use aipress_kit::project_quota::Usage;
use aipress_types::TenantUid;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Disk;
use super::at;
use super::tree;
use crate::error::DriverError;
use crate::files::DiskHeld;
use crate::layout::Slot;
use crate::local::beneath;
use crate::local::quota;

/// Files and folders of a site, links included: as many as an archive of one may have.
const FILES_MAX: u64 = aipress_archive::write::MEMBERS_MAX as u64;

/// What a full site gets for a moment, beyond all that it takes.
const LENT: Most = Most { bytes: 1024 * 1024, files: 16 };

/// Puts the empty folder that a new site is made in into a project of its own.
pub(super) fn begin(disk: &Disk, dir: &OwnedFd, uid: TenantUid) -> io::Result<()> {
    if disk.quotas.is_none() {
        return Ok(());
    }
    let id = quota::free_id(dir, uid)?;
    project_quota::set_project(dir, Project { id, inherits: true })
}

/// Puts the empty folder of something that will be moved into a site into the site's project.
pub(super) fn join(disk: &Disk, dir: &OwnedFd, uid: TenantUid) -> io::Result<()> {
    match of_site(disk, uid)? {
        Some(id) => project_quota::set_project(dir, Project { id, inherits: true }),
        None => Ok(()),
    }
}

/// Puts a folder into the project that another one hands on, into which it will be moved.
pub(super) fn agree(disk: &Disk, dir: &OwnedFd, into: &OwnedFd) -> io::Result<()> {
    if disk.quotas.is_none() {
        return Ok(());
    }
    let wanted = project_quota::project(into)?;
    if !wanted.inherits || project_quota::project(dir)?.id == wanted.id {
        return Ok(());
    }
    put(dir, wanted)
}

fn of_site(disk: &Disk, uid: TenantUid) -> io::Result<Option<u32>> {
    if disk.quotas.is_none() {
        return Ok(None);
    }
    let site = beneath::open_dir(&disk.paths.site(uid))?;
    let found = project_quota::project(&site)?;
    Ok((found.inherits && quota::is_sites(found.id)).then_some(found.id))
}

/// Has the file system hold a site to so many bytes, with its slot's temporary folder, and says what
/// it takes. `None` where there are no quotas.
pub(super) fn hold(
    disk: &Disk,
    uid: TenantUid,
    slot: Slot,
    bytes: u64,
) -> Result<Option<DiskHeld>, DriverError> {
    if disk.quotas.is_none() {
        return Ok(None);
    }
    let path = disk.paths.site(uid);
    let fail = at("hold a site to its disk", &path);
    let site = beneath::open_dir(&path).map_err(&fail)?;
    let found = project_quota::project(&site).map_err(&fail)?;
    let id = if found.inherits && quota::is_sites(found.id) {
        found.id
    } else {
        // One from before the file system had quotas, or one whose adoption was cut off.
        let id = quota::free_id(&site, uid).map_err(&fail)?;
        put(&site, Project { id, inherits: true }).map_err(&fail)?;
        id
    };
    let tmp = beneath::open_dir(&disk.paths.slot_tmp(slot)).map_err(&fail)?;
    if project_quota::project(&tmp).map_err(&fail)?.id != id {
        put(&tmp, Project { id, inherits: true }).map_err(&fail)?;
    }
    let most = Most { bytes: bytes / 1024 * 1024, files: FILES_MAX };
    let usage = project_quota::usage(&site, id).map_err(&fail)?;
    if usage.most != most {
        project_quota::set_most(&site, id, most).map_err(&fail)?;
    }
    Ok(Some(DiskHeld { bytes: usage.bytes, files: usage.files, files_max: FILES_MAX }))
}

/// Takes a slot's temporary folder, which is as good as new, out of its former occupant's project.
pub(super) fn leave(disk: &Disk, tmp: &OwnedFd) -> io::Result<()> {
    if disk.quotas.is_none() || project_quota::project(tmp)? == Project::NONE {
        return Ok(());
    }
    put(tmp, Project::NONE)
}

/// Does what failed because the site is full once more with a little room beyond its limit, which
/// holds again afterwards; the next look at the site puts it back, should this be killed.
pub(super) fn lend(
    disk: &Disk,
    site: &OwnedFd,
    failed: io::Error,
    work: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let is_full = [ErrorKind::QuotaExceeded, ErrorKind::StorageFull].contains(&failed.kind());
    if !is_full || disk.quotas.is_none() {
        return Err(failed);
    }
    let id = project_quota::project(site)?.id;
    let Usage { bytes, files, most } = project_quota::usage(site, id)?;
    if !quota::is_sites(id) || most == Most::default() {
        return Err(failed);
    }
    let bytes = bytes.max(most.bytes) / 1024 * 1024 + LENT.bytes;
    let more = Most { bytes, files: files.max(most.files) + LENT.files };
    project_quota::set_most(site, id, more)?;
    let done = work();
    project_quota::set_most(site, id, most)?;
    done
}

/// Gives up the limits of a site that is being removed. Its number is free again with its last file.
pub(super) fn release(disk: &Disk, site: &OwnedFd) -> io::Result<()> {
    if disk.quotas.is_none() {
        return Ok(());
    }
    match project_quota::project(site)?.id {
        id if quota::is_sites(id) => project_quota::set_most(site, id, Most::default()),
        _ => Ok(()),
    }
}

/// Puts a tree into a project, its top at last: that is how it is known to be done. Folders go
/// before what is in them, so that what is made meanwhile is right from the start.
fn put(top: &OwnedFd, project: Project) -> io::Result<()> {
    let owner = rustix::fs::fstat(top)?.st_uid;
    put_below(top, project, owner, 0)?;
    project_quota::set_project(top, project)?;
    // What came to the top's own entries before it gave its project on.
    put_below(top, project, owner, 0)
}

fn put_below(dir: &OwnedFd, project: Project, owner: u32, depth: usize) -> io::Result<()> {
    if depth >= tree::DEPTH_MAX {
        return Err(io::Error::other(format!("folders nested deeper than {}", tree::DEPTH_MAX)));
    }
    for name in beneath::names(dir)? {
        // Not to be waited for, should it be a pipe; a link is none of it (its project stays).
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let entry = match rustix::fs::openat(dir, &name, flags, Mode::empty()) {
            Ok(entry) => entry,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let found = rustix::fs::fstat(&entry)?;
        match beneath::kind(&found) {
            FileType::Directory => {
                if project_quota::project(&entry)? != project {
                    project_quota::set_project(&entry, project)?;
                }
                put_below(&entry, project, owner, depth + 1)?;
            }
            // Somebody else's file with a name in here, too, stays his.
            FileType::RegularFile
                if (found.st_nlink == 1 || found.st_uid == owner)
                    && project_quota::project(&entry)?.id != project.id =>
            {
                project_quota::set_project(&entry, Project { inherits: false, ..project })?;
            }
            _ => {}
        }
    }
    Ok(())
}
