//! What can be wrong with an archive.

use std::io;

/// Why an archive could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The stream below.
    #[error("the archive can't be read or written: {0}")]
    Io(#[source] io::Error),
    /// It is no such archive, or it was damaged.
    #[error("{0}")]
    Damaged(String),
    /// It ends before its list of checksums.
    #[error("the archive is incomplete: it ends before its checksums; export it again")]
    Incomplete,
    /// A later format than this program knows.
    #[error("the archive has format version {0}; this program reads version 1")]
    TooNew(u32),
    /// More than is taken.
    #[error("{0}")]
    TooLarge(String),
    /// A statement that is not loaded.
    #[error("line {line} of the database: {reason}")]
    Sql {
        /// Where the statement begins, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The visitor's own error, in words.
    #[error("{0}")]
    Visitor(String),
}

/// A limit that a stream met, on its way through readers that know of errors of streams only.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct OverLimit(pub(crate) String);

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<OverLimit>()) {
            Some(limit) => Self::TooLarge(limit.to_string()),
            None => Self::Io(error),
        }
    }
}

impl ArchiveError {
    /// Whether the same archive may be read another time: the stream broke, not the archive.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}
