//! What a driver says when it could not do as asked, and whether trying again can help.
//!
//! `what` is the step in the words of an operator (`create database t_…`). No variant carries a
//! secret: statements and configuration files are never part of an error.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// An error of a driver.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// No answer in time. The work may still have been done: look before doing it again.
    #[error("{what}: no answer within {} ms", after.as_millis())]
    Timeout {
        /// The step.
        what: String,
        /// The limit that passed.
        after: Duration,
    },
    /// The server does not answer or went away: it is starting, restarting or gone.
    #[error("{what}: {detail}")]
    Unavailable {
        /// The step.
        what: String,
        /// What was seen.
        detail: String,
    },
    /// As much as may run at once does; nothing was begun.
    #[error("{what}: {detail}")]
    Busy {
        /// The step.
        what: String,
        /// What is being waited for.
        detail: String,
    },
    /// The step failed on the machine or in the server; it may work the next time.
    #[error("{what}: {detail}")]
    Failed {
        /// The step.
        what: String,
        /// What was seen.
        detail: String,
    },
    /// A file or directory could not be used.
    #[error("{what}: {}", path.display())]
    Io {
        /// The step.
        what: &'static str,
        /// The path (below the data folder).
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Reality contradicts the request; doing it would destroy something. Somebody must look.
    #[error("{what}: {detail}")]
    Conflict {
        /// The step.
        what: String,
        /// What contradicts, and what to do.
        detail: String,
    },
    /// The request itself cannot be served here (a bad path, a missing program).
    #[error("{what}: {detail}")]
    Invalid {
        /// The step.
        what: String,
        /// What is wrong, and what to do.
        detail: String,
    },
}

impl DriverError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout { .. }
            | Self::Unavailable { .. }
            | Self::Busy { .. }
            | Self::Failed { .. } => true,
            // A full disk or a missing mount is mended outside, and then it works.
            Self::Io { .. } => true,
            Self::Conflict { .. } | Self::Invalid { .. } => false,
        }
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { what, path: path.to_path_buf(), source: source.into() }
    }

    pub(crate) fn conflict(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Conflict { what: what.into(), detail: detail.into() }
    }

    pub(crate) fn invalid(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), detail: detail.into() }
    }

    pub(crate) fn failed(what: impl Into<String>, detail: impl ToString) -> Self {
        Self::Failed { what: what.into(), detail: detail.to_string() }
    }

    pub(crate) fn busy(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Busy { what: what.into(), detail: detail.into() }
    }

    pub(crate) fn unavailable(what: impl Into<String>, detail: impl ToString) -> Self {
        Self::Unavailable { what: what.into(), detail: detail.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variant_carries_its_retry_decision() {
        let what = || "x".to_owned();
        let cases = [
            (DriverError::Timeout { what: what(), after: Duration::from_secs(1) }, true),
            (DriverError::unavailable("x", "down"), true),
            (DriverError::busy("x", "others run"), true),
            (DriverError::failed("x", "lock wait"), true),
            (DriverError::io("x", Path::new("/x"), io::Error::other("full")), true),
            (DriverError::conflict("x", "exists"), false),
            (DriverError::invalid("x", "bad"), false),
        ];
        for (error, retryable) in cases {
            assert_eq!(error.is_retryable(), retryable, "{error:?}");
        }
    }
}
