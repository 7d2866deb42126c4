//! Files in the age format (age-encryption.org/v1), written and read as streams: for recipients
//! with X25519 keys, or under a passphrase. What is made here `age -d` opens, and the other way.
//!
//! Only the format is ours; its primitives are those of ring, x25519-dalek and scrypt. Absent: keys
//! of SSH, plugins, ASCII armor.
//!
//! Nothing is given out that was not authenticated, and a file that ends early is an error, never
//! a shorter file.

pub mod error;
mod header;
pub mod keys;
mod payload;
mod primitives;

use std::io;
use std::io::Read;
use std::io::Write;

pub use error::AgeError;
pub use keys::Identity;
pub use keys::Passphrase;
pub use keys::Recipient;
pub use payload::Opener;
pub use payload::Sealer;

/// What every file begins with.
pub const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// For whom a file is made.
#[derive(Debug, Clone)]
pub enum Lock {
    /// Each of them alone can open it.
    Recipients(Vec<Recipient>),
    /// Whoever knows it.
    Passphrase(Passphrase),
}

/// What a file is opened with.
#[derive(Debug, Clone)]
pub enum Key {
    /// Any of them.
    Identities(Vec<Identity>),
    /// The passphrase.
    Passphrase(Passphrase),
}

/// Begins a file: what is written to the sealer goes to `out` encrypted.
///
/// # Errors
/// From `out`, or without randomness.
pub fn seal<W: Write>(mut out: W, lock: &Lock) -> Result<Sealer<W>, AgeError> {
    let file_key = primitives::random::<{ header::FILE_KEY }>()?;
    out.write_all(&header::write(&file_key, lock)?)?;
    let nonce = primitives::random::<{ payload::NONCE }>()?;
    out.write_all(&nonce)?;
    Sealer::new(out, &*payload::key(&file_key, &nonce)?)
}

/// Opens a file: what is read from the opener is what was sealed.
///
/// # Errors
/// When it is no such file, or the key does not open it; from `input`.
pub fn open<R: Read>(mut input: R, key: &Key) -> Result<Opener<R>, AgeError> {
    let file_key = header::read(&mut input, key)?;
    let mut nonce = [0; payload::NONCE];
    input.read_exact(&mut nonce).map_err(early)?;
    Opener::new(input, &*payload::key(&file_key, &nonce)?)
}

fn early(error: io::Error) -> AgeError {
    if error.kind() == io::ErrorKind::UnexpectedEof { AgeError::Early } else { error.into() }
}

#[cfg(test)]
mod tests;
