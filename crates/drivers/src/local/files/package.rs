//! Plugins and themes: unpacked beside the sites, in root's own folder, and exchanged with what
//! stands in the site by one rename. The way into a site is walked one component at a time without
//! following links: the tenant may have replaced any of them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use aipress_packages::Archive;
use aipress_packages::Entry;
use aipress_packages::Limits;
use aipress_packages::Refusal;
use aipress_packages::headers::describe;
use aipress_types::TenantUid;
use aipress_types::package::is_package_name;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use super::Disk;
use super::at;
use super::project;
use super::tree;
use crate::Ensured;
use crate::error::DriverError;
use crate::local::beneath;
use crate::packages::PackageMark;
use crate::packages::PackagePlace;
use crate::uids::UnixIds;

/// What names of folders begin with that hold what is beside a site.
pub(super) const BESIDE_PREFIX: &str = ".package-";

fn beside(place: &PackagePlace) -> String {
    format!("{BESIDE_PREFIX}{}-{}-{}", place.uid, place.kind, place.name)
}

/// The site whose folder of this name it is.
pub(super) fn owner_of(name: &str) -> Option<TenantUid> {
    name.strip_prefix(BESIDE_PREFIX)?.get(..36)?.parse().ok()
}

/// Unpacks an archive beside the site.
pub(super) fn stage(
    disk: &Disk,
    place: &PackagePlace,
    archive: &Path,
) -> Result<PackageMark, DriverError> {
    let refused = |refusal: Refusal| match refusal {
        Refusal::Io(source) => DriverError::io("read archive", archive, source),
        refusal => DriverError::invalid("unpack archive", refusal.to_string()),
    };
    let file =
        File::open(archive).map_err(|error| DriverError::io("open archive", archive, error))?;
    let zip = Archive::open(file, &Limits::default()).map_err(refused)?;
    describe(&zip, Some(place.kind)).map_err(refused)?;
    if zip.folder() != place.name || !is_package_name(&place.name) {
        return Err(DriverError::invalid(
            "unpack archive",
            format!("it holds `{}`, not `{}`", zip.folder(), place.name),
        ));
    }
    let path = disk.paths.sites();
    let fail = at("unpack archive", &path);
    let sites = beneath::open_dir(&path).map_err(&fail)?;
    let name = beside(place);
    tree::remove(&sites, OsStr::new(&name)).map_err(&fail)?;
    let own = disk.ids.slot(place.slot);
    // Root's until it is whole, so that nothing can move in it while it is filled.
    let (dir, _) = beneath::make_dir_at(&sites, &name, disk.ids.root(), 0o700).map_err(&fail)?;
    project::join(disk, &dir, place.uid).map_err(&fail)?;
    for entry in zip.entries() {
        write(&dir, &zip, entry, own).map_err(refused)?;
    }
    beneath::own(&dir, own, 0o750).map_err(&fail)?;
    rustix::fs::syncfs(&dir).map_err(|errno| fail(errno.into()))?;
    let stat = rustix::fs::fstat(&dir).map_err(|errno| fail(errno.into()))?;
    Ok(stat.st_ino)
}

fn write(root: &OwnedFd, zip: &Archive, entry: &Entry, own: UnixIds) -> Result<(), Refusal> {
    if entry.path.is_empty() {
        return Ok(());
    }
    let (folder, name) = match entry.path.rsplit_once('/') {
        _ if entry.is_dir => (entry.path.as_str(), None),
        Some((folder, name)) => (folder, Some(name)),
        None => ("", Some(entry.path.as_str())),
    };
    let mut dir = rustix::io::fcntl_dupfd_cloexec(root, 0).map_err(io::Error::from)?;
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        match rustix::fs::mkdirat(&dir, part, Mode::from_raw_mode(0o700)) {
            Ok(()) => {
                let made = beneath::open_dir_at(&dir, part)?;
                beneath::own(&made, own, 0o750)?;
                dir = made;
            }
            Err(Errno::EXIST) => dir = beneath::open_dir_at(&dir, part)?,
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
    }
    let Some(name) = name else { return Ok(()) };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&dir, name, flags, Mode::from_raw_mode(0o600))
        .map_err(io::Error::from)?;
    let mut file = File::from(fd);
    zip.read(entry, &mut file)?;
    beneath::own(&OwnedFd::from(file), own, 0o640)?;
    Ok(())
}

/// The folder of the site that plugins, or themes, stand in.
fn folder(disk: &Disk, place: &PackagePlace) -> Result<OwnedFd, DriverError> {
    let path = disk.paths.site(place.uid);
    let fail = at("open site's folder", &path);
    let plural = place.kind.plural();
    let site = beneath::open_dir(&path).map_err(&fail)?;
    let content = beneath::open_dir_at(&site, "wp-content").map_err(&fail)?;
    match rustix::fs::mkdirat(&content, plural, Mode::from_raw_mode(0o700)) {
        Ok(()) => {
            let made = beneath::open_dir_at(&content, plural).map_err(&fail)?;
            beneath::own(&made, disk.ids.slot(place.slot), 0o750).map_err(&fail)?;
        }
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(fail(errno.into())),
    }
    beneath::open_dir_at(&content, plural).map_err(|error| {
        DriverError::conflict(
            format!("open wp-content/{plural} of site {}", place.uid),
            format!("{error}: it must be a folder, not a link"),
        )
    })
}

/// What stands at the place.
pub(super) fn installed(
    disk: &Disk,
    place: &PackagePlace,
) -> Result<Option<PackageMark>, DriverError> {
    let path = disk.paths.site(place.uid);
    let found = beneath::stat_at(&folder(disk, place)?, &place.name);
    Ok(found.map_err(at("look at plugin or theme", &path))?.map(|stat| stat.st_ino))
}

/// Exchanges what stands at the place with what is beside.
pub(super) fn swap(disk: &Disk, place: &PackagePlace) -> Result<(), DriverError> {
    let path = disk.paths.sites();
    let fail = at("exchange plugin or theme", &path);
    let sites = beneath::open_dir(&path).map_err(&fail)?;
    let folder = folder(disk, place)?;
    let (kept, name) = (beside(place), place.name.as_str());
    let waiting = beneath::stat_at(&sites, &kept).map_err(&fail)?;
    let standing = beneath::stat_at(&folder, name).map_err(&fail)?;
    if let Some(waiting) = &waiting
        && waiting.st_uid != disk.ids.slot(place.slot).uid
    {
        return Err(DriverError::conflict(
            format!("exchange {} `{name}` of site {}", place.kind, place.uid),
            "what is beside belongs to another slot",
        ));
    }
    if waiting.is_some() {
        // Unpacked before the site had a project, perhaps.
        let dir = beneath::open_dir_at(&sites, &kept).map_err(&fail)?;
        project::agree(disk, &dir, &folder).map_err(&fail)?;
    }
    let renamed = match (waiting, standing) {
        (Some(_), Some(_)) => {
            rustix::fs::renameat_with(&sites, &*kept, &folder, name, RenameFlags::EXCHANGE)
        }
        (Some(_), None) => {
            rustix::fs::renameat_with(&sites, &*kept, &folder, name, RenameFlags::NOREPLACE)
        }
        (None, Some(_)) => {
            rustix::fs::renameat_with(&folder, name, &sites, &*kept, RenameFlags::NOREPLACE)
        }
        (None, None) => return Ok(()),
    };
    renamed
        .and_then(|()| rustix::fs::fsync(&folder))
        .and_then(|()| rustix::fs::fsync(&sites))
        .map_err(|errno| fail(errno.into()))
}

/// Removes everything that is beside a site.
pub(super) fn clear_beside(disk: &Disk, uid: TenantUid) -> Result<Ensured, DriverError> {
    let path = disk.paths.sites();
    let fail = at("remove what is beside a site", &path);
    let sites = beneath::open_dir(&path).map_err(&fail)?;
    let mut found = false;
    for name in beneath::names(&sites).map_err(&fail)? {
        if owner_of(&name.to_string_lossy()) == Some(uid) {
            found |= tree::remove(&sites, &name).map_err(&fail)?;
        }
    }
    Ok(if found { Ensured::Repaired } else { Ensured::Kept })
}
