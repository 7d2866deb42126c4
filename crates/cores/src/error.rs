//! Everything that can keep a WordPress core from being had.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::version::Version;

/// Why a core cannot be had, listed or prepared.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// A file or folder of the store, the cache or a staging folder.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried, present tense ("read", "create folder").
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program that is needed is not installed.
    #[error("the program `{program}` is needed and not installed (run scripts/install)")]
    ProgramMissing {
        /// Its name.
        program: String,
    },
    /// A program ended with a failure.
    #[error("`{program}` failed: {message}")]
    ProgramFailed {
        /// Its name.
        program: String,
        /// The last lines that it said.
        message: String,
    },
    /// A program did not end in its time.
    #[error("`{program}` did not end within {} s", limit.as_secs())]
    ProgramTimedOut {
        /// Its name.
        program: String,
        /// The time that it had.
        limit: Duration,
    },
    /// An archive is not what was published or what was seen before.
    #[error(
        "{what} has the checksum {actual}, but {expected} was {by}; it is refused \
         (fetch it again later; if it was replaced on purpose, remove its line from {})",
        memory.display()
    )]
    ChecksumRefused {
        /// The archive's name.
        what: String,
        /// Who says otherwise ("published beside it", "remembered from before").
        by: &'static str,
        /// The checksum that it should have, hex.
        expected: String,
        /// The checksum that it has, hex.
        actual: String,
        /// The file of remembered checksums.
        memory: PathBuf,
    },
    /// Something was read that has not the form that it should have.
    #[error("{what} is not understood: {message}")]
    Malformed {
        /// What was read.
        what: String,
        /// What is wrong with it.
        message: String,
    },
    /// A link in a package points at a file that no package of its archive has.
    #[error("the link {} points to {target}, which no package on hand contains", link.display())]
    DanglingLink {
        /// The link, relative to the unpacked packages.
        link: PathBuf,
        /// Where it points.
        target: String,
    },
    /// A folder that should be a WordPress core lacks something.
    #[error("{} is not a whole WordPress core: {missing}", dir.display())]
    NotWhole {
        /// The folder.
        dir: PathBuf,
        /// What is missing or wrong.
        missing: String,
    },
    /// The machine's package sources name no Debian or Ubuntu archive.
    #[error("no Debian or Ubuntu archive is named in {} (sources.list, sources.list.d)", .0.display())]
    NoArchive(PathBuf),
    /// No source has the version.
    #[error("WordPress {wanted} cannot be had: {reasons}")]
    Unavailable {
        /// What was asked for.
        wanted: String,
        /// What each source said.
        reasons: String,
    },
    /// The version needs a newer PHP than the one at hand.
    #[error("WordPress {version} needs PHP {requires}, and the PHP at hand is {php}")]
    PhpTooOld {
        /// The WordPress version.
        version: Version,
        /// The least PHP version that it runs on.
        requires: Version,
        /// The PHP version at hand.
        php: Version,
    },
    /// Another process holds the store for too long.
    #[error("another process has held {} for {} s; end it and try again", path.display(), limit.as_secs())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The time waited.
        limit: Duration,
    },
}

impl CoreError {
    /// For `map_err`: an I/O error with what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CoreError {
        move |source| CoreError::Io { action, path: path.to_owned(), source }
    }

    /// Something read that cannot be right.
    pub(crate) fn malformed(what: impl Into<String>, message: impl ToString) -> CoreError {
        CoreError::Malformed { what: what.into(), message: message.to_string() }
    }

    /// The message with those of its causes, for one line of progress.
    pub(crate) fn in_one_line(&self) -> String {
        match self {
            CoreError::Io { source, .. } => format!("{self}: {source}"),
            other => other.to_string(),
        }
    }
}
