//! What can be wrong with an encrypted file or a key.

use std::io;

/// Why a file can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum AgeError {
    /// The stream below.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not begin as such a file does.
    #[error("it is not encrypted in the age format")]
    NotAge,
    /// Its head can't be read.
    #[error("the head of the encrypted file is damaged: {0}")]
    Head(&'static str),
    /// No identity is among its recipients.
    #[error("none of the identities opens it: it was encrypted to others")]
    NotForYou,
    /// It wants a passphrase and got identities.
    #[error("it is encrypted under a passphrase: give that")]
    WantsPassphrase,
    /// It wants an identity and got a passphrase.
    #[error("it is encrypted to recipients: give the identity of one")]
    WantsIdentity,
    /// Wrong passphrase, or a damaged head; which of them can't be told.
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    /// A piece was changed.
    #[error("it is damaged, was changed or cut off: what comes at byte {0} does not open")]
    Damaged(u64),
    /// It ends before its last piece.
    #[error("it ends early: a part of it is missing")]
    Early,
    /// Text of a key that is none.
    #[error("{0}")]
    KeyForm(&'static str),
    /// No randomness, or no memory for a passphrase.
    #[error("no encryption here: {0}")]
    Machine(&'static str),
}

impl From<AgeError> for io::Error {
    fn from(error: AgeError) -> Self {
        match error {
            AgeError::Io(error) => error,
            other => Self::other(other),
        }
    }
}
