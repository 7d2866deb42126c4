//! Walks over trees that a tenant filled: removing them and giving them to another user.
//!
//! Every step names one entry of an open directory and follows no link. Depth is bounded, since
//! each level holds a descriptor; a tree that is deeper is flattened (removing) or refused.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::Uid;
use rustix::io::Errno;

use crate::files::Restored;
use crate::local::beneath;
use crate::uids::UnixIds;

/// Deepest nesting that is walked. WordPress with the deepest plugins has about 20 levels.
pub(super) const DEPTH_MAX: usize = 200;
/// Refused paths that are reported.
const REFUSED_SHOWN: usize = 20;

const OPEN_DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

/// Removes an entry of `parent` with all that is in it. `Ok(false)` when there was none. May be
/// interrupted anywhere and called again.
pub(crate) fn remove(parent: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let Some(stat) = stat(parent, name)? else { return Ok(false) };
    if beneath::kind(&stat) != FileType::Directory {
        unlink(parent, name, AtFlags::empty())?;
        return Ok(true);
    }
    // What is nested too deeply is moved up beside and removed in turn.
    let mut moved = Moved { waiting: vec![name.to_owned()], count: 0 };
    while let Some(name) = moved.waiting.pop() {
        remove_dir(parent, parent, &name, 0, &mut moved)?;
    }
    Ok(true)
}

/// Directories that were moved up and wait for their removal.
struct Moved {
    waiting: Vec<OsString>,
    count: u32,
}

/// Name of a directory that was moved up. A later removal of the same parent finds it by prefix.
pub(crate) const DEEP_PREFIX: &str = ".deep-";

/// Whether that is the name of a directory that was moved up.
pub(crate) fn is_deep(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(DEEP_PREFIX)
}

fn deep_name(number: u32) -> OsString {
    OsString::from(format!("{DEEP_PREFIX}{}-{number}", std::process::id()))
}

fn remove_dir(
    top: &OwnedFd,
    parent: &OwnedFd,
    name: &OsStr,
    depth: usize,
    moved: &mut Moved,
) -> io::Result<()> {
    if depth >= DEPTH_MAX {
        let up = deep_name(moved.count);
        rustix::fs::renameat(parent, name, top, &up)?;
        moved.waiting.push(up);
        moved.count += 1;
        return Ok(());
    }
    let dir = open_for_removal(parent, name)?;
    for entry in beneath::names(&dir)? {
        let Some(stat) = stat(&dir, &entry)? else { continue };
        if beneath::kind(&stat) == FileType::Directory {
            remove_dir(top, &dir, &entry, depth + 1, moved)?;
        } else {
            unlink(&dir, &entry, AtFlags::empty())?;
        }
    }
    unlink(parent, name, AtFlags::REMOVEDIR)
}

/// Opens a directory; one that its owner made unreadable is made readable first (without root).
fn open_for_removal(parent: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    match rustix::fs::openat(parent, name, OPEN_DIR, Mode::empty()) {
        Err(Errno::ACCESS) => {
            let path = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let dir = rustix::fs::openat(parent, name, path, Mode::empty())?;
            // Through /proc, for fchmod(2) refuses an O_PATH descriptor and chmodat(2) follows.
            let own = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&dir));
            rustix::fs::chmod(own, Mode::from_raw_mode(0o700))?;
            Ok(rustix::fs::openat(parent, name, OPEN_DIR, Mode::empty())?)
        }
        other => Ok(other?),
    }
}

fn unlink(dir: &OwnedFd, name: &OsStr, flags: AtFlags) -> io::Result<()> {
    match rustix::fs::unlinkat(dir, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn stat(dir: &OwnedFd, name: &OsStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Gives a tree to a user. Run where nobody but root can reach the tree (the trash).
///
/// A file with a hard link outside of the tree keeps its owner: the other name may be somebody
/// else's file, which its own user could not read otherwise.
pub(crate) fn give(dir: &OwnedFd, ids: UnixIds) -> io::Result<Restored> {
    let mut inside = HashMap::new();
    count_links(dir, 0, &mut inside)?;
    let mut done = Restored::default();
    give_dir(dir, ids, &inside, &mut PathBuf::new(), &mut done)?;
    Ok(done)
}

type Links = HashMap<(u64, u64), u64>;

/// Counts how many names of each file with several names are in the tree.
fn count_links(dir: &OwnedFd, depth: usize, inside: &mut Links) -> io::Result<()> {
    if depth >= DEPTH_MAX {
        return Err(io::Error::other(format!("folders nested deeper than {DEPTH_MAX}")));
    }
    for name in beneath::names(dir)? {
        let Some(found) = stat(dir, &name)? else { continue };
        if beneath::kind(&found) == FileType::Directory {
            let below = rustix::fs::openat(dir, &name, OPEN_DIR, Mode::empty())?;
            count_links(&below, depth + 1, inside)?;
        } else if found.st_nlink > 1 {
            *inside.entry((found.st_dev, found.st_ino)).or_default() += 1;
        }
    }
    Ok(())
}

fn give_dir(
    dir: &OwnedFd,
    ids: UnixIds,
    inside: &Links,
    path: &mut PathBuf,
    done: &mut Restored,
) -> io::Result<()> {
    for name in beneath::names(dir)? {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Checked and changed through one descriptor, so that both are of the same file.
        let entry = rustix::fs::openat(dir, &name, flags, Mode::empty())?;
        let found = rustix::fs::fstat(&entry)?;
        path.push(&name);
        if beneath::kind(&found) == FileType::Directory {
            let below = rustix::fs::openat(dir, &name, OPEN_DIR, Mode::empty())?;
            give_dir(&below, ids, inside, path, done)?;
        } else if found.st_nlink > 1
            && inside.get(&(found.st_dev, found.st_ino)) != Some(&found.st_nlink)
        {
            if done.refused.len() < REFUSED_SHOWN {
                done.refused.push(path.clone());
            }
            path.pop();
            continue;
        }
        change_owner(&entry, &found, ids)?;
        done.entries += 1;
        path.pop();
    }
    Ok(())
}

/// `chown(2)` through an `O_PATH` descriptor: of a link itself, never of what it names. Clears
/// set-id bits of files by itself.
fn change_owner(entry: &OwnedFd, found: &Stat, ids: UnixIds) -> io::Result<()> {
    if (found.st_uid, found.st_gid) == (ids.uid, ids.gid) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(ids.uid), Gid::from_raw(ids.gid));
    Ok(rustix::fs::chownat(entry, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?)
}
