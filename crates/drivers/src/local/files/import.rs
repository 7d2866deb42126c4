//! Lays out a site's folder from an archive: beside, root's until all of it is there and on disk,
//! then renamed into place. Every name is opened beneath a folder that is held open.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use aipress_archive::ArchiveError;
use aipress_archive::Limits;
use aipress_archive::Manifest;
use aipress_archive::Member;
use aipress_archive::MemberKind;
use aipress_archive::read;
use aipress_archive::read::Check;
use aipress_archive::read::Flow;
use aipress_archive::read::Visitor;
use aipress_kit::faults;
use aipress_types::TenantUid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::io::Errno;

use super::Disk;
use super::at;
use super::project;
use super::room;
use super::room::Free;
use super::room::Room;
use super::site;
use super::tree;
use crate::content::Content;
use crate::content::archive_error;
use crate::error::DriverError;
use crate::layout::Slot;
use crate::local::beneath;
use crate::uids::UnixIds;

/// What names of folders begin with that are being filled from an archive.
pub(super) const IMPORT_PREFIX: &str = ".import-";
/// What is written at once, in bytes.
const PIECE: usize = 512 * 1024;
const WHAT: &str = "lay out the files";

/// Fills the folder beside. What an interrupted call left is removed first, and what can't be ended
/// is taken away.
pub(super) fn fill(
    disk: &Disk,
    uid: TenantUid,
    slot: Slot,
    content: &Content,
) -> Result<(), DriverError> {
    let sites = disk.paths.sites();
    let folder = beneath::open_dir(&sites).map_err(at(WHAT, &sites))?;
    fill_within(disk, uid, slot, content, &|| room::free(&folder))
}

fn fill_within(
    disk: &Disk,
    uid: TenantUid,
    slot: Slot,
    content: &Content,
    free: &dyn Fn() -> io::Result<Free>,
) -> Result<(), DriverError> {
    let filled = lay_out(disk, uid, slot, content, free);
    if filled.is_err() {
        let name = format!("{IMPORT_PREFIX}{uid}");
        let path = disk.paths.sites().join(&name);
        let removed = beneath::open_dir(&disk.paths.sites())
            .and_then(|sites| tree::remove(&sites, OsStr::new(&name)));
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "what was unpacked is still there");
        }
    }
    filled
}

fn lay_out(
    disk: &Disk,
    uid: TenantUid,
    slot: Slot,
    content: &Content,
    free: &dyn Fn() -> io::Result<Free>,
) -> Result<(), DriverError> {
    let path = disk.paths.sites().join(format!("{IMPORT_PREFIX}{uid}"));
    let fail = at(WHAT, &path);
    let own = disk.ids.slot(slot);
    let sites = beneath::open_dir(&disk.paths.sites()).map_err(&fail)?;
    let name = format!("{IMPORT_PREFIX}{uid}");
    tree::remove(&sites, OsStr::new(&name)).map_err(&fail)?;
    let (dir, _) = beneath::make_dir_at(&sites, &name, disk.ids.root(), 0o700).map_err(&fail)?;
    project::begin(disk, &dir, uid).map_err(&fail)?;
    site::make_folders(&dir, own).map_err(&fail)?;
    let root = beneath::open_dir_at(&dir, "wp-content").map_err(&fail)?;
    let (room, piece) = (Room::new(free), vec![0; PIECE]);
    let mut writer = Writer { own, root, open: Vec::new(), content, piece, room };
    faults::point("shard.unpack.before");
    let input = content.source.open()?;
    read::read(input, &Limits::default(), Check::Trusted, &mut writer)
        .map_err(|error| archive_error(WHAT, &error))?;
    beneath::own(&dir, own, 0o750).map_err(&fail)?;
    // One sync of all, instead of one for each of 100,000 files.
    rustix::fs::syncfs(&dir).map_err(|errno| fail(errno.into()))?;
    faults::point("shard.unpack.after");
    Ok(())
}

/// Moves the filled folder into place.
pub(super) fn adopt(disk: &Disk, uid: TenantUid) -> Result<(), DriverError> {
    let path = disk.paths.site(uid);
    let fail = at(WHAT, &path);
    let sites = beneath::open_dir(&disk.paths.sites()).map_err(&fail)?;
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(
        &sites,
        format!("{IMPORT_PREFIX}{uid}"),
        &sites,
        uid.to_string(),
        flags,
    )
    .and_then(|()| rustix::fs::fsync(&sites))
    .map_err(|errno| fail(errno.into()))
}

struct Writer<'c> {
    own: UnixIds,
    root: OwnedFd,
    /// Folders from the root to where the last file was.
    open: Vec<(Vec<u8>, OwnedFd)>,
    content: &'c Content,
    piece: Vec<u8>,
    room: Room<'c>,
}

impl Visitor for Writer<'_> {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), ArchiveError> {
        self.content.progress.begin(manifest.files.bytes);
        self.room.check(manifest.files.bytes, manifest.files.count)
    }

    fn member(&mut self, member: &Member, data: &mut dyn Read) -> Result<Flow, ArchiveError> {
        let path = member.below_content();
        // An error of the disk is no error of the stream, but as passing.
        match member.kind {
            MemberKind::Folder if !path.is_empty() => {
                self.room.made()?;
                self.enter(path).map_err(room::disk_error)?;
            }
            MemberKind::File => self.file(path, member.mtime, data)?,
            _ => {}
        }
        Ok(Flow::On)
    }
}

impl Writer<'_> {
    /// The folder of this path, made where it is not there; `None` for the root.
    fn enter(&mut self, path: &[u8]) -> io::Result<&OwnedFd> {
        let names: Vec<&[u8]> =
            path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        let same =
            self.open.iter().zip(&names).take_while(|((open, _), name)| open == *name).count();
        self.open.truncate(same);
        for name in names.into_iter().skip(same) {
            let parent = self.open.last().map_or(&self.root, |(_, dir)| dir);
            let dir = make_dir(parent, name, self.own)?;
            self.open.push((name.to_vec(), dir));
        }
        Ok(self.open.last().map_or(&self.root, |(_, dir)| dir))
    }

    fn file(&mut self, path: &[u8], mtime: u64, data: &mut dyn Read) -> Result<(), ArchiveError> {
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (folder, name) = match cut {
            Some(at) => {
                (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default())
            }
            None => (&b""[..], path),
        };
        let own = self.own;
        self.room.made()?;
        let dir = self.enter(folder).map_err(room::disk_error)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            rustix::fs::openat(dir, OsStr::from_bytes(name), flags, Mode::from_raw_mode(0o600))
                .map_err(|errno| match errno {
                    Errno::EXIST => ArchiveError::Damaged("a file is there twice".to_owned()),
                    errno => room::disk_error(errno.into()),
                })?;
        let mut file = File::from(file);
        loop {
            let count = data.read(&mut self.piece)?;
            if count == 0 {
                break;
            }
            file.write_all(self.piece.get(..count).unwrap_or_default())
                .map_err(room::disk_error)?;
            self.room.wrote(count as u64)?;
            self.content.progress.add(count as u64);
        }
        let fd = OwnedFd::from(file);
        beneath::own(&fd, own, 0o640)?;
        let at = Timespec { tv_sec: i64::try_from(mtime).unwrap_or(0), tv_nsec: 0 };
        let times = Timestamps { last_access: at, last_modification: at };
        rustix::fs::futimens(&fd, &times).map_err(io::Error::from)?;
        Ok(())
    }
}

fn make_dir(parent: &OwnedFd, name: &[u8], own: UnixIds) -> io::Result<OwnedFd> {
    let name = OsStr::from_bytes(name);
    let made = match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno.into()),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    if made {
        beneath::own(&dir, own, 0o750)?;
    }
    Ok(dir)
}

#[cfg(test)]
mod tests;
