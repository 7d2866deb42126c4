//! File operations that name one entry of an open directory and never follow a link.
//!
//! A path that a tenant can write in is only ever walked one component at a time with
//! `O_NOFOLLOW`, so that a link planted at any instant is an error and not a way out.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::Uid;
use rustix::io::Errno;

use crate::error::DriverError;
use crate::uids::UnixIds;

const OPEN_DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

/// Opens a directory by a path of the platform's own (its last component must not be a link).
pub(crate) fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OPEN_DIR, Mode::empty())?)
}

/// Opens a directory in `dir`; a link in its place is an error.
pub(crate) fn open_dir_at(dir: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, name, OPEN_DIR, Mode::empty())?)
}

/// What an entry is, links not followed; `None` when there is none.
pub(crate) fn stat_at(dir: &OwnedFd, name: &str) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Kind of a file.
pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Gives an open file to a user and sets its mode (in this order: `chown(2)` clears set-id bits).
pub(crate) fn own(file: &OwnedFd, ids: UnixIds, mode: u32) -> io::Result<()> {
    let stat = rustix::fs::fstat(file)?;
    if (stat.st_uid, stat.st_gid) != (ids.uid, ids.gid) {
        rustix::fs::fchown(file, Some(Uid::from_raw(ids.uid)), Some(Gid::from_raw(ids.gid)))?;
    }
    if stat.st_mode & 0o7777 != mode || (stat.st_uid, stat.st_gid) != (ids.uid, ids.gid) {
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
    }
    Ok(())
}

/// Makes a directory in `dir` and opens it. One that is there keeps its owner and mode; the
/// second value says whether it was made.
pub(crate) fn make_dir_at(
    dir: &OwnedFd,
    name: &str,
    ids: UnixIds,
    mode: u32,
) -> io::Result<(OwnedFd, bool)> {
    let made = match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o700)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno.into()),
    };
    let opened = open_dir_at(dir, name)?;
    if made {
        own(&opened, ids, mode)?;
        rustix::fs::fsync(dir)?;
    }
    Ok((opened, made))
}

/// Makes a directory of the platform's own with its parents, and sets its owner and mode where
/// they differ. Parents that are made belong to this process with mode 0711.
///
/// # Errors
/// `Io` with the path that could not be made.
pub fn ensure_dir(path: &Path, ids: UnixIds, mode: u32) -> Result<(), DriverError> {
    let fail = |source: io::Error| DriverError::io("make folder", path, source);
    if !path.exists() {
        if let Some(parent) = path.parent()
            && !parent.exists()
        {
            ensure_dir(parent, UnixIds::current(), 0o711)?;
        }
        match std::fs::create_dir(path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(fail(source));
            }
            _ => {}
        }
        if let Some(parent) = path.parent() {
            sync_dir(parent)?;
        }
    }
    open_dir(path).and_then(|dir| own(&dir, ids, mode)).map_err(fail)
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), DriverError> {
    open_dir(path)
        .and_then(|dir| Ok(rustix::fs::fsync(&dir)?))
        .map_err(|source| DriverError::io("sync folder", path, source))
}

/// Under which name [`write_at`] begins a file: one that is there was cut off, and the next write
/// replaces it.
pub(crate) fn beside(name: &str) -> String {
    format!(".{name}.new")
}

/// Writes a file in `dir` in one step: under another name, synced, then renamed into place.
pub(crate) fn write_at(
    dir: &OwnedFd,
    name: &str,
    contents: &[u8],
    ids: UnixIds,
    mode: u32,
) -> io::Result<()> {
    let beside = beside(name);
    // One left by a killed writer; a tenant's link of this name is removed, not followed.
    match rustix::fs::unlinkat(dir, &*beside, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let written = write_beside(dir, &beside, contents, ids, mode)
        .and_then(|()| Ok(rustix::fs::renameat(dir, &*beside, dir, name)?));
    if written.is_err() {
        let _ = rustix::fs::unlinkat(dir, &*beside, AtFlags::empty());
    }
    written?;
    rustix::fs::fsync(dir)?;
    Ok(())
}

fn write_beside(
    dir: &OwnedFd,
    beside: &str,
    contents: &[u8],
    ids: UnixIds,
    mode: u32,
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(dir, beside, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(contents)?;
    let fd = OwnedFd::from(file);
    own(&fd, ids, mode)?;
    rustix::fs::fsync(&fd)?;
    Ok(())
}

/// Writes a file of the platform's own when its contents, owner or mode differ. Returns whether
/// it did.
pub(crate) fn write_if_differs(
    path: &Path,
    contents: &[u8],
    ids: UnixIds,
    mode: u32,
) -> Result<bool, DriverError> {
    let fail = |source: io::Error| DriverError::io("write file", path, source);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Err(DriverError::invalid("write file", "a path without folder or name"));
    };
    let dir = open_dir(parent).map_err(fail)?;
    if let Some(stat) = stat_at(&dir, name).map_err(fail)? {
        let same = (stat.st_uid, stat.st_gid) == (ids.uid, ids.gid)
            && stat.st_mode & 0o7777 == mode
            && kind(&stat) == FileType::RegularFile
            && read_at(&dir, name, contents.len() + 1).is_ok_and(|found| found == contents);
        if same {
            return Ok(false);
        }
    }
    write_at(&dir, name, contents, ids, mode).map_err(fail)?;
    Ok(true)
}

/// Reads at most `limit` bytes of a regular file in `dir`.
pub(crate) fn read_at(dir: &OwnedFd, name: &str, limit: usize) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    if kind(&rustix::fs::fstat(&fd)?) != FileType::RegularFile {
        return Err(io::Error::other("not a regular file"));
    }
    let mut found = Vec::new();
    File::from(fd).take(limit as u64).read_to_end(&mut found)?;
    Ok(found)
}

/// The names in a directory, without `.` and `..`.
pub(crate) fn names(dir: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        if bytes != b"." && bytes != b".." {
            names.push(OsString::from_vec(bytes.to_vec()));
        }
    }
    Ok(names)
}
