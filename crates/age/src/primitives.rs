//! The primitives of the format, in the shapes that it needs.

use ring::aead::Aad;
use ring::aead::CHACHA20_POLY1305;
use ring::aead::LessSafeKey;
use ring::aead::Nonce;
use ring::aead::UnboundKey;
use ring::hkdf::HKDF_SHA256;
use ring::hkdf::KeyType;
use ring::hkdf::Salt;
use scrypt::Params;
use x25519_dalek::SharedSecret;
use zeroize::Zeroizing;

use crate::error::AgeError;

/// A symmetric key, in bytes.
pub(crate) const KEY: usize = 32;
/// What authentication adds, in bytes.
pub(crate) const TAG: usize = 16;

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], AgeError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| AgeError::Machine("no randomness"))?;
    Ok(bytes)
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY
    }
}

/// HKDF-SHA-256 (RFC 5869).
pub(crate) fn derive(
    secret: &[u8],
    salt: &[u8],
    info: &[u8],
) -> Result<Zeroizing<[u8; KEY]>, AgeError> {
    let mut key = Zeroizing::new([0; KEY]);
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], Length)
        .and_then(|okm| okm.fill(&mut *key))
        .map_err(|_| AgeError::Machine("HKDF"))?;
    Ok(key)
}

/// scrypt (RFC 7914) with 2^`log_n` rounds, r = 8, p = 1.
pub(crate) fn stretch(
    passphrase: &[u8],
    salt: &[u8],
    log_n: u8,
) -> Result<Zeroizing<[u8; KEY]>, AgeError> {
    let failed = |_| AgeError::Machine("scrypt");
    let params = Params::new(log_n, 8, 1).map_err(failed)?;
    let mut key = Zeroizing::new([0; KEY]);
    scrypt::scrypt(passphrase, salt, &params, &mut *key)
        .map_err(|_| AgeError::Machine("scrypt"))?;
    Ok(key)
}

/// A shared secret that both sides contributed to (RFC 7748 section 6.1).
pub(crate) fn contributed(shared: SharedSecret) -> Result<SharedSecret, AgeError> {
    if shared.was_contributory() { Ok(shared) } else { Err(AgeError::Head("a key of low order")) }
}

/// ChaCha20-Poly1305 (RFC 8439).
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY]) -> Result<Self, AgeError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key);
        Ok(Self(LessSafeKey::new(key.map_err(|_| AgeError::Machine("ChaCha20"))?)))
    }

    /// Encrypts in place and puts the tag behind it.
    pub(crate) fn seal(&self, nonce: [u8; 12], text: &mut Vec<u8>) -> Result<(), AgeError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self.0.seal_in_place_append_tag(nonce, Aad::empty(), text);
        sealed.map_err(|_| AgeError::Machine("ChaCha20"))
    }

    /// Decrypts in place; `None` when it was not made with this key and nonce.
    pub(crate) fn open<'t>(&self, nonce: [u8; 12], text: &'t mut [u8]) -> Option<&'t mut [u8]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place(nonce, Aad::empty(), text).ok()
    }
}
