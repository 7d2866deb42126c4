//! What keeps meta from starting or going on. Errors of requests are in `problem`.

use std::path::PathBuf;

use aipress_audit::KeyError;
use aipress_kit::random::RandomError;
use aipress_kit::seal::SealError;
use aipress_store::StoreError;

/// Why meta does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// The registry can't be opened, read or written.
    #[error("the registry {path} can't be used")]
    Registry {
        /// Its file.
        path: PathBuf,
        /// What the store said.
        source: StoreError,
    },
    /// The master key can't be had.
    #[error("master key")]
    MasterKey(#[from] SealError),
    /// The registry has secrets, and the key that they are sealed under is not there.
    #[error(
        "the master key {0} is gone, and the secrets of the registry open with no other: bring it \
         back from a copy (see Backup in docs/RUNNING.md)"
    )]
    MasterKeyGone(PathBuf),
    /// The registry's secrets are sealed under another key.
    #[error(
        "the master key is not the one that the registry's secrets are sealed under: bring that one \
         back from a copy (see Backup in docs/RUNNING.md)"
    )]
    MasterKeyOther,
    /// The key that checkpoints of the audit log are signed with can't be had.
    #[error("checkpoints of the audit log")]
    SigningKey(#[from] KeyError),
    /// The key given as text has another form.
    #[error("the master key is not 64 hex digits")]
    MasterKeyForm,
    /// The file of role tokens can't be read or understood.
    #[error("role tokens {path}: {reason}")]
    RoleTokens {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The administrator's token file can't be read or written.
    #[error("admin token file {path}")]
    AdminTokenFile {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The folder of the mirror can't be used.
    #[error("folder of packages {path}")]
    Packages {
        /// The folder.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// No randomness for secrets.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A part of meta ended although nobody asked it to.
    #[error("{0} ended unexpectedly; see the log")]
    TaskEnded(&'static str),
}
