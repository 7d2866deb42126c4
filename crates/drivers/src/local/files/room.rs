//! Whether the disk has room for what an archive unpacks to. What the archive says of its size is
//! its maker's word: it is looked at before, and the disk itself meanwhile.

use std::io;
use std::os::fd::AsFd;

use aipress_archive::ArchiveError;

/// Left on the disk for everybody else, in bytes.
pub(super) const FLOOR: u64 = 1024 * 1024 * 1024;
/// Left of what the disk has for files and folders.
const INODES: u64 = 10_000;
/// Written between two looks, in bytes.
const EVERY: u64 = 64 * 1024 * 1024;
/// What a file or folder takes beside its data.
const ENTRY: u64 = 4096;

/// What is left of a disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Free {
    pub(super) bytes: u64,
    /// Files and folders; not every file system counts them.
    pub(super) inodes: Option<u64>,
}

/// What is left of the disk of this folder.
pub(super) fn free(folder: impl AsFd) -> io::Result<Free> {
    let found = rustix::fs::fstatvfs(folder)?;
    Ok(Free {
        bytes: found.f_bavail.saturating_mul(found.f_frsize),
        inodes: (found.f_files > 0).then_some(found.f_favail),
    })
}

/// A disk that is written to.
pub(super) struct Room<'l> {
    look: &'l dyn Fn() -> io::Result<Free>,
    written: u64,
}

impl<'l> Room<'l> {
    pub(super) fn new(look: &'l dyn Fn() -> io::Result<Free>) -> Self {
        Self { look, written: 0 }
    }

    /// Whether so many files with so many bytes fit.
    pub(super) fn check(&self, bytes: u64, files: u64) -> Result<(), ArchiveError> {
        let Free { bytes: free, inodes } = (self.look)()?;
        let wanted = bytes.saturating_add(files.saturating_mul(ENTRY));
        if free < wanted.saturating_add(FLOOR) {
            return Err(full(&format!(
                "{} MiB free, and the site's files need {} of them; {} stay free",
                free >> 20,
                wanted.div_ceil(1 << 20),
                FLOOR >> 20
            )));
        }
        match inodes {
            Some(left) if left < files.saturating_add(INODES) => {
                Err(full(&format!("room for {left} files and folders; {INODES} of it stay free")))
            }
            _ => Ok(()),
        }
    }

    /// So many bytes were written.
    pub(super) fn wrote(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.written += bytes;
        if self.written < EVERY {
            return Ok(());
        }
        self.written = 0;
        self.check(0, 0)
    }

    /// A file or folder is made.
    pub(super) fn made(&mut self) -> Result<(), ArchiveError> {
        self.wrote(ENTRY)
    }
}

/// No error of a stream: trying again by itself would fill the disk again.
fn full(what: &str) -> ArchiveError {
    ArchiveError::Visitor(format!(
        "the shard's disk has {what}: make room, then import the site again"
    ))
}

/// An error of the disk, of which a full one is told as that.
pub(super) fn disk_error(error: io::Error) -> ArchiveError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            full(&format!("no room left ({error})"))
        }
        _ => error.into(),
    }
}
