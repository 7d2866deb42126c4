//! What a site is made of when it is not the template: an archive, read from its beginning as often
//! as it is needed; and what goes into one.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use aipress_archive::ArchiveError;

use crate::error::DriverError;

/// An archive that can be opened. Database and files open it each for itself, at the same time.
pub trait ContentSource: Send + Sync {
    /// The archive from its first byte. Called where blocking is allowed, and read there.
    ///
    /// # Errors
    /// When it can't be had (now, or at all).
    fn open(&self) -> Result<Box<dyn Read + Send>, DriverError>;
}

/// How far something long is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Adds bytes that are done.
    pub fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says how many there will be, as far as is known; starts over.
    pub fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// Bytes done, and how many there will be (0 when nobody knows).
    pub fn read(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// What a site is made of.
#[derive(Clone)]
pub struct Content {
    /// The archive.
    pub source: Arc<dyn ContentSource>,
    /// Address of the site that is made, without a slash at the end.
    pub home: String,
    /// How far it is.
    pub progress: Arc<Progress>,
}

/// What a site's database has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseFacts {
    /// Tables.
    pub tables: u64,
    /// Size of rows and keys as the server estimates it, in bytes.
    pub bytes: u64,
    /// Views and triggers, which an archive does not hold.
    pub left: Vec<String>,
}

/// What a site's `wp-content` has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentFacts {
    /// Regular files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A piece of a site's files, in the order of an archive.
#[derive(Debug)]
pub enum ContentPiece {
    /// A folder, by its path below `wp-content`.
    Folder {
        /// The path; empty for `wp-content` itself.
        path: Vec<u8>,
        /// When it was changed, in seconds since 1970 UTC.
        mtime: u64,
    },
    /// A file begins.
    File {
        /// Its path below `wp-content`.
        path: Vec<u8>,
        /// Its size when it was opened.
        size: u64,
        /// When it was changed, in seconds since 1970 UTC.
        mtime: u64,
    },
    /// Data of that file.
    Data(Vec<u8>),
    /// That file ends.
    End,
    /// Something that no archive holds (a link, a device, somebody else's file).
    Skipped(Vec<u8>),
    /// All was sent: without it what came before is a part only.
    Whole,
}

/// An archive's error as a driver's: a stream that broke may work the next time.
pub(crate) fn archive_error(what: &str, error: &ArchiveError) -> DriverError {
    if error.is_stream() {
        DriverError::unavailable(what, error)
    } else {
        DriverError::invalid(what, error.to_string())
    }
}
