//! Secrets at rest: envelope encryption. Each record has a data key of its own, wrapped by a
//! master key that lives outside of the database; both by AES-256-GCM (NIST SP 800-38D) with
//! random 96-bit nonces. The caller names what the record belongs to, and a blob moved to
//! another place does not open.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aes_gcm::Aes256Gcm;
use aes_gcm::KeyInit;
use aes_gcm::aead::Aead;
use aes_gcm::aead::Payload;

use crate::durable;
use crate::random;

const VERSION: u8 = 1;
const KEY: usize = 32;
const NONCE: usize = 12;
const WRAPPED: usize = NONCE + KEY + 16;

/// What keeps a secret from being sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key's file can't be read or made.
    #[error("key file {path}: {source}")]
    KeyFile {
        /// Where it is looked for.
        path: String,
        /// What the file system said.
        source: io::Error,
    },
    /// The key's file is not 32 bytes in hex.
    #[error("key file {0} does not hold 64 hex digits")]
    KeyForm(String),
    /// Wrong key, wrong place, or a damaged blob; which of them can't be told.
    #[error("a sealed secret does not open: wrong key, or the record was changed")]
    Open,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] random::RandomError),
}

/// Seals and opens secrets under one master key.
#[derive(Clone)]
pub struct Sealer {
    master: Aes256Gcm,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// A sealer under this key.
    pub fn new(key: &[u8; KEY]) -> Self {
        Self { master: Aes256Gcm::new(key.into()) }
    }

    /// Reads the key from a file of 64 hex digits.
    ///
    /// # Errors
    /// When the file can't be read or has another form.
    pub fn from_file(path: &Path) -> Result<Self, SealError> {
        let text = fs::read_to_string(path).map_err(|source| key_file(path, source))?;
        Self::from_hex(text.trim()).ok_or_else(|| SealError::KeyForm(path.display().to_string()))
    }

    /// A sealer under a key of 64 hex digits, such as a variable holds.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; KEY];
        hex::decode_to_slice(text, &mut key).ok()?;
        Some(Self::new(&key))
    }

    /// Makes a key file of mode 0400 with a fresh key unless there is one.
    ///
    /// # Errors
    /// When the file can't be written or there is no randomness.
    pub fn ensure_key_file(path: &Path) -> Result<(), SealError> {
        if path.exists() {
            return fs::set_permissions(path, fs::Permissions::from_mode(0o400))
                .map_err(|source| key_file(path, source));
        }
        let key = hex::encode(random::bytes::<KEY>()?);
        durable::write(path, key.as_bytes(), 0o400).map_err(|source| key_file(path, source))
    }

    /// Seals `plain` for the record that `place` names (such as `tenants/<uid>/secrets`).
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let data_key = random::bytes::<KEY>()?;
        let wrap_nonce = random::bytes::<NONCE>()?;
        let nonce = random::bytes::<NONCE>()?;
        let aad = place.as_bytes();
        let wrapped = self
            .master
            .encrypt((&wrap_nonce).into(), Payload { msg: &data_key, aad })
            .map_err(|_| SealError::Open)?;
        let sealed = Aes256Gcm::new((&data_key).into())
            .encrypt((&nonce).into(), Payload { msg: plain, aad })
            .map_err(|_| SealError::Open)?;
        let mut out = Vec::with_capacity(1 + WRAPPED + NONCE + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&wrap_nonce);
        out.extend_from_slice(&wrapped);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError::Open`] when key, place or bytes are not those of the sealing.
    pub fn open(&self, place: &str, blob: &[u8]) -> Result<Vec<u8>, SealError> {
        let aad = place.as_bytes();
        let (version, rest) = blob.split_first().ok_or(SealError::Open)?;
        if *version != VERSION || rest.len() < WRAPPED + NONCE {
            return Err(SealError::Open);
        }
        let (wrapped, rest) = rest.split_at(WRAPPED);
        let (wrap_nonce, wrapped) = wrapped.split_at(NONCE);
        let (nonce, sealed) = rest.split_at(NONCE);
        let wrap_nonce: [u8; NONCE] = wrap_nonce.try_into().map_err(|_| SealError::Open)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| SealError::Open)?;
        let data_key: [u8; KEY] = self
            .master
            .decrypt((&wrap_nonce).into(), Payload { msg: wrapped, aad })
            .ok()
            .and_then(|key| key.try_into().ok())
            .ok_or(SealError::Open)?;
        Aes256Gcm::new((&data_key).into())
            .decrypt((&nonce).into(), Payload { msg: sealed, aad })
            .map_err(|_| SealError::Open)
    }
}

fn key_file(path: &Path, source: io::Error) -> SealError {
    SealError::KeyFile { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let sealer = Sealer::new(&[7; 32]);
        let blob = sealer.seal("tenants/a", b"secret").unwrap();
        assert_eq!(sealer.open("tenants/a", &blob).unwrap(), b"secret");
        assert!(sealer.open("tenants/b", &blob).is_err());
        assert!(Sealer::new(&[8; 32]).open("tenants/a", &blob).is_err());
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let sealer = Sealer::new(&[7; 32]);
        let blob = sealer.seal("x", b"secret").unwrap();
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert!(sealer.open("x", &changed).is_err(), "byte {at}");
            assert!(sealer.open("x", &blob[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let sealer = Sealer::new(&[7; 32]);
        assert_ne!(sealer.seal("x", b"s").unwrap(), sealer.seal("x", b"s").unwrap());
    }
}
