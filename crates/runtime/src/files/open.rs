//! Opening a file beneath a root as an attacker would hate it.
//!
//! `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS`: no link is
//! followed anywhere on the way, so nothing can be exchanged between a check and the opening. What
//! is opened must be a regular file, and in a tenant's tree one of the tenant's own: a hard link
//! carries the owner of what it names.

use std::{
    ffi::OsStr,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2},
    io::Errno,
};

/// A file that may be sent.
#[derive(Debug)]
pub struct OpenedFile {
    /// The open file.
    pub file: OwnedFd,
    /// Its length in bytes when it was opened.
    pub len: u64,
    /// When its content was last changed, as the file system has it.
    pub modified: SystemTime,
    /// When anything of it was last changed.
    pub changed: SystemTime,
}

/// Whose files are sent from a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Anybody's: the tree is the platform's, tenants cannot write there.
    Any,
    /// Those of this Unix user, and those of root that everybody may read.
    User(u32),
}

/// Whether the disk may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Only what the kernel has in its caches: for the executor's threads.
    Cached,
    /// For blocking threads.
    Disk,
}

/// Why there is no file to send.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such regular file, or a link is in the way.
    #[error("no such file")]
    NotFound,
    /// It may not be read, or it is somebody else's.
    #[error("the file may not be read")]
    Forbidden,
    /// The disk has to be waited for; only with [`Wait::Cached`].
    #[error("the file is not in the kernel's caches")]
    WouldBlock,
    /// The disk or the system failed.
    #[error("open a file")]
    Io(#[source] io::Error),
}

/// Opens the regular file `file` beneath the folder `root`. The root itself is trusted: only the
/// platform can exchange it.
pub fn open_beneath(
    root: &Path,
    file: &[u8],
    owner: Owner,
    wait: Wait,
) -> Result<OpenedFile, OpenError> {
    let opened = match open_file(root, file, wait) {
        // An old kernel, or a container's filter that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) if wait == Wait::Disk => open_each(root, file),
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::INTR) if wait == Wait::Cached => {
            return Err(OpenError::WouldBlock);
        }
        other => other,
    };
    let opened = opened.map_err(|errno| refusal(errno, wait))?;
    let stat = fstat(&opened).map_err(|errno| OpenError::Io(errno.into()))?;
    check(&stat, owner)?;
    Ok(OpenedFile {
        file: opened,
        len: u64::try_from(stat.st_size).unwrap_or(0),
        modified: time(stat.st_mtime, stat.st_mtime_nsec as u64),
        changed: time(stat.st_ctime, stat.st_ctime_nsec as u64),
    })
}

fn open_file(root: &Path, file: &[u8], wait: Wait) -> Result<OwnedFd, Errno> {
    let mut resolve =
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let root_flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = if wait == Wait::Cached {
        resolve |= ResolveFlags::CACHED;
        openat2(CWD, root, root_flags, Mode::empty(), ResolveFlags::CACHED)?
    } else {
        openat(CWD, root, root_flags, Mode::empty())?
    };
    openat2(root, OsStr::from_bytes(file), file_flags(), Mode::empty(), resolve)
}

/// The same without `openat2`: each part by itself, none of them a link. Slower, as safe: a
/// descriptor stays what it is when names are exchanged.
pub(super) fn open_each(root: &Path, file: &[u8]) -> Result<OwnedFd, Errno> {
    let folder_flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = openat(CWD, root, folder_flags, Mode::empty())?;
    let mut parts = file.split(|&byte| byte == b'/').peekable();
    while let Some(part) = parts.next() {
        if matches!(part, b"" | b"." | b"..") {
            return Err(Errno::XDEV);
        }
        let name = OsStr::from_bytes(part);
        if parts.peek().is_none() {
            return openat(folder, name, file_flags() | OFlags::NOFOLLOW, Mode::empty());
        }
        folder = openat(&folder, name, folder_flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Err(Errno::NOENT)
}

/// Reading, without waiting for the writer of a FIFO that a tenant may have put there.
fn file_flags() -> OFlags {
    OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
}

fn refusal(errno: Errno, wait: Wait) -> OpenError {
    match errno {
        Errno::AGAIN if wait == Wait::Cached => OpenError::WouldBlock,
        // Missing; a file as a folder; a link; out of the tree; too long a name; a socket.
        Errno::NOENT
        | Errno::NOTDIR
        | Errno::LOOP
        | Errno::XDEV
        | Errno::NAMETOOLONG
        | Errno::NXIO
        | Errno::ISDIR => OpenError::NotFound,
        Errno::ACCESS | Errno::PERM => OpenError::Forbidden,
        other => OpenError::Io(other.into()),
    }
}

fn check(stat: &Stat, owner: Owner) -> Result<(), OpenError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(OpenError::NotFound);
    }
    let allowed = match owner {
        Owner::Any => true,
        // What root keeps from others (a slot's credentials) stays so when it is linked.
        Owner::User(uid) => {
            stat.st_uid == uid || stat.st_uid == 0 && stat.st_mode & Mode::ROTH.bits() != 0
        }
    };
    if allowed { Ok(()) } else { Err(OpenError::Forbidden) }
}

/// A time of before 1970 counts as 1970.
fn time(seconds: i64, nanos: u64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests;
