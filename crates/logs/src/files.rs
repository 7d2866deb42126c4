//! Folders and segments by name. Nothing below the log's folder is ever reached through a link:
//! who reads may be root, and who writes is not.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use aipress_api::LogSource;
use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::FlockOperation;
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

/// Tries to have a source for oneself, and the pause between two: somebody else appends a block.
const TURNS: u32 = 2000;
/// See [`TURNS`].
const TURN: Duration = Duration::from_millis(5);

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
            own_as(&dir, tenant)?;
            return Ok(dir);
        }
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    open_source(tenant, source)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Gives `made` to whom the folder belongs: root's own would be closed to who else writes there, and
/// to who looks for old lines in all of them.
fn own_as(made: &OwnedFd, folder: &OwnedFd) -> io::Result<()> {
    let (owner, found) = (rustix::fs::fstat(folder)?, rustix::fs::fstat(made)?);
    if owner.st_uid != found.st_uid && rustix::process::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
        rustix::fs::fchown(made, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// Has the source for this process until [`unlock`], or until it is gone.
///
/// # Errors
/// `TimedOut` when another one has it for longer than 10 s.
pub(crate) fn lock(dir: &OwnedFd) -> io::Result<()> {
    for _ in 0..TURNS {
        match rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(TURN),
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "another process does not let go of the log"))
}

/// See [`lock`].
pub(crate) fn unlock(dir: &OwnedFd) {
    // It can only fail for a descriptor that is none; closing it unlocks, too.
    let _ = rustix::fs::flock(dir, FlockOperation::Unlock);
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

/// Opens a segment to append to; makes it when it is not there. It is the folder's owner's.
pub(crate) fn open_to_append(dir: &OwnedFd, segment: u64) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mode = Mode::from_raw_mode(0o600);
    let file = rustix::fs::openat2(dir, name(segment), flags, mode, resolve())?;
    own_as(&file, dir)?;
    regular(file)
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
