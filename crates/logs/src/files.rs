//! Folders and segments by name. Nothing below the log's folder is ever reached through a link:
//! who reads may be root, and who writes is not.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use aipress_api::LogSource;
use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::Uid;
use rustix::io::Errno;
use uuid::Uuid;

/// How names of segments end.
const SUFFIX: &str = ".jsonl";
/// Digits of a segment's name: those of the largest number, so that names sort as numbers.
const DIGITS: usize = 20;

const OPEN_DIR: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

fn resolve() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
}

/// The folder of all logs, at a path of the platform's own.
pub(crate) fn open_root(root: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(root, OPEN_DIR | OFlags::NOFOLLOW, Mode::empty())?)
}

/// A tenant's folder; `None` when there is none.
pub(crate) fn open_tenant(root: &Path, tenant: Uuid) -> io::Result<Option<OwnedFd>> {
    match open_root(root) {
        Ok(root) => open_dir(&root, &tenant.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder of a source; `None` when there is none.
pub(crate) fn open_source(tenant: &OwnedFd, source: LogSource) -> io::Result<Option<OwnedFd>> {
    open_dir(tenant, source.as_str())
}

/// The folder of a source, made when there is none.
pub(crate) fn make_source(tenant: &OwnedFd, source: LogSource) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(tenant, source.as_str(), Mode::from_raw_mode(0o700)) {
        Ok(()) => {
            let dir = open_source(tenant, source)?.ok_or(io::ErrorKind::NotFound)?;
            let owner = rustix::fs::fstat(tenant)?;
            if owner.st_uid != rustix::process::geteuid().as_raw() {
                // Root's own would be closed to who looks for old lines in all of them.
                let (uid, gid) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
                rustix::fs::fchown(&dir, Some(uid), Some(gid))?;
            }
            return Ok(dir);
        }
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    open_source(tenant, source)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn open_dir(parent: &OwnedFd, name: &str) -> io::Result<Option<OwnedFd>> {
    match rustix::fs::openat2(parent, name, OPEN_DIR, Mode::empty(), resolve()) {
        Ok(dir) => Ok(Some(dir)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// The numbers of a folder's segments: the first id in each, oldest first.
pub(crate) fn segments(dir: &OwnedFd) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let number = entry.file_name().to_str().ok().and_then(|name| name.strip_suffix(SUFFIX));
        found.extend(number.filter(|it| it.len() == DIGITS).and_then(|it| it.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

fn name(segment: u64) -> String {
    format!("{segment:0DIGITS$}{SUFFIX}")
}

/// Opens a segment to read; `None` when it is gone.
pub(crate) fn open_to_read(dir: &OwnedFd, segment: u64) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::openat2(dir, name(segment), flags, Mode::empty(), resolve()) {
        Ok(file) => regular(file).map(Some),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a segment to append to; makes it when it is not there.
pub(crate) fn open_to_append(dir: &OwnedFd, segment: u64) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mode = Mode::from_raw_mode(0o600);
    regular(rustix::fs::openat2(dir, name(segment), flags, mode, resolve())?)
}

fn regular(file: OwnedFd) -> io::Result<File> {
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(File::from(file))
}

/// Size in bytes and time of the last change in seconds since 1970; `None` when it is gone.
pub(crate) fn look(dir: &OwnedFd, segment: u64) -> io::Result<Option<(u64, u64)>> {
    match rustix::fs::statat(dir, name(segment), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some((
            u64::try_from(stat.st_size).unwrap_or(0),
            u64::try_from(stat.st_mtime).unwrap_or(0),
        ))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Removes a segment.
pub(crate) fn remove(dir: &OwnedFd, segment: u64) -> io::Result<()> {
    match rustix::fs::unlinkat(dir, name(segment), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The tenants that have a folder.
pub(crate) fn tenants(root: &Path) -> io::Result<Vec<Uuid>> {
    let root = open_root(root)?;
    let mut found = Vec::new();
    for entry in Dir::read_from(&root)? {
        found.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<Uuid>().ok()));
    }
    Ok(found)
}
