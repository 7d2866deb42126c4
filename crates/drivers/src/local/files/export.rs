//! Reads a site's `wp-content` for an archive: regular files and folders of the site's own user,
//! by path, no link followed.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::mpsc::SyncSender;

use aipress_archive::inspect::CACHES;
use aipress_types::TenantUid;
use rustix::buffer::spare_capacity;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;
use rustix::io::read;
use rustix::io::retry_on_intr;

use super::Disk;
use super::at;
use super::tree::DEPTH_MAX;
use crate::content::ContentFacts;
use crate::content::ContentPiece;
use crate::error::DriverError;
use crate::local::beneath;

/// What is read at once, in bytes.
const PIECE: usize = 512 * 1024;

/// Who takes what is found.
enum Sink<'a> {
    Count(&'a mut ContentFacts),
    Send(&'a SyncSender<ContentPiece>),
}

/// Counts files and bytes.
pub(super) fn measure(disk: &Disk, uid: TenantUid) -> Result<ContentFacts, DriverError> {
    let mut facts = ContentFacts::default();
    walk_site(disk, uid, &mut Sink::Count(&mut facts))?;
    Ok(facts)
}

/// Sends all pieces. Ends early when nobody takes them.
pub(super) fn send(
    disk: &Disk,
    uid: TenantUid,
    pieces: &SyncSender<ContentPiece>,
) -> Result<(), DriverError> {
    walk_site(disk, uid, &mut Sink::Send(pieces))
}

fn walk_site(disk: &Disk, uid: TenantUid, sink: &mut Sink<'_>) -> Result<(), DriverError> {
    let path = disk.paths.site(uid);
    let fail = at("read site's files", &path);
    let site = beneath::open_dir(&path).map_err(&fail)?;
    let owner = rustix::fs::fstat(&site).map_err(|errno| fail(errno.into()))?.st_uid;
    let content = beneath::open_dir_at(&site, "wp-content").map_err(&fail)?;
    let mut walk = Walk { owner, path: Vec::new(), sink };
    match walk.folder(&content, 0) {
        // Nobody takes it any more: whoever asked has given up, and knows why.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(fail),
    }
}

struct Walk<'s, 'a> {
    owner: u32,
    path: Vec<u8>,
    sink: &'s mut Sink<'a>,
}

impl Walk<'_, '_> {
    fn give(&self, piece: ContentPiece) -> io::Result<()> {
        match &self.sink {
            Sink::Count(_) => Ok(()),
            Sink::Send(pieces) => {
                pieces.send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
            }
        }
    }

    fn folder(&mut self, dir: &OwnedFd, depth: usize) -> io::Result<()> {
        if depth >= DEPTH_MAX {
            return self.give(ContentPiece::Skipped(self.path.clone()));
        }
        let stat = rustix::fs::fstat(dir)?;
        self.give(ContentPiece::Folder { path: self.path.clone(), mtime: mtime(&stat) })?;
        let mut names = beneath::names(dir)?;
        names.sort();
        for name in names {
            if depth == 0 && CACHES.iter().any(|cache| OsStr::new(cache) == name) {
                continue;
            }
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name.as_bytes());
            self.entry(dir, &name, depth)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn entry(&mut self, dir: &OwnedFd, name: &OsStr, depth: usize) -> io::Result<()> {
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Removed meanwhile.
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match beneath::kind(&stat) {
            FileType::Directory => {
                match rustix::fs::openat(dir, name, flags | OFlags::DIRECTORY, Mode::empty()) {
                    Ok(below) => self.folder(&below, depth + 1),
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
                    Err(errno) => Err(errno.into()),
                }
            }
            FileType::RegularFile if matches!(self.sink, Sink::Count(_)) => {
                self.count(&stat);
                Ok(())
            }
            FileType::RegularFile => match rustix::fs::openat(dir, name, flags, Mode::empty()) {
                Ok(file) => self.file(file),
                Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(()),
                Err(errno) => Err(errno.into()),
            },
            _ => self.give(ContentPiece::Skipped(self.path.clone())),
        }
    }

    fn count(&mut self, stat: &Stat) {
        if let Sink::Count(facts) = self.sink
            && stat.st_uid == self.owner
        {
            facts.files += 1;
            facts.bytes += u64::try_from(stat.st_size).unwrap_or(0);
        }
    }

    fn file(&mut self, file: OwnedFd) -> io::Result<()> {
        // What was opened, whatever the name meant a moment before.
        let stat = rustix::fs::fstat(&file)?;
        if beneath::kind(&stat) != FileType::RegularFile || stat.st_uid != self.owner {
            return self.give(ContentPiece::Skipped(self.path.clone()));
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let path = self.path.clone();
        self.give(ContentPiece::File { path, size, mtime: mtime(&stat) })?;
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let mut data = Vec::with_capacity(wanted);
            // Into memory that nobody fills with zeros first.
            while data.len() < wanted
                && retry_on_intr(|| read(&file, spare_capacity(&mut data)))? > 0
            {}
            if data.is_empty() {
                break;
            }
            left = left.saturating_sub(data.len() as u64);
            self.give(ContentPiece::Data(data))?;
        }
        self.give(ContentPiece::End)
    }
}

fn mtime(stat: &Stat) -> u64 {
    u64::try_from(stat.st_mtime).unwrap_or(0)
}
