//! The key that checkpoints are signed with: made at the first start, sealed in the registry under
//! the master key. Ed25519 (RFC 8032).

use aipress_kit::clock::Clock;
use aipress_kit::random;
use aipress_kit::random::RandomError;
use aipress_kit::seal::SealError;
use aipress_kit::seal::Sealer;
use aipress_store::Store;
use aipress_store::StoreError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::ED25519;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;
use ring::signature::UnparsedPublicKey;
use serde_json::Value;

/// Where the sealed key is kept, and what it is bound to.
const SETTING: &str = "audit_signing_key";
/// What stands before an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410 section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The registry.
    #[error("the registry has no key for checkpoints, and takes none")]
    Store(#[from] StoreError),
    /// It is sealed under another master key, or was changed.
    #[error("the key of checkpoints")]
    Sealed(#[from] SealError),
    /// What is sealed is no key.
    #[error("the key of checkpoints is no seed of 32 bytes")]
    Form,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Signs.
pub struct SigningKey(Ed25519KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// The key of this seed (RFC 8032 section 5.1.5).
    pub fn from_seed(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The registry's, made where there is none.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub async fn ensure(store: &Store, sealer: &Sealer, clock: &Clock) -> Result<Self, KeyError> {
        if let Some(kept) = store.setting_fetch(SETTING).await? {
            let sealed = kept.as_str().and_then(|text| hex::decode(text).ok()).unwrap_or_default();
            return Self::from_seed(&sealer.open(SETTING, &sealed)?).ok_or(KeyError::Form);
        }
        let seed = random::bytes::<32>()?;
        let key = Self::from_seed(&seed).ok_or(KeyError::Form)?;
        let sealed = Value::String(hex::encode(sealer.seal(SETTING, &seed)?));
        match keep(store, &sealed, clock).await {
            // On a full disk the next start makes another one: nothing was signed by this.
            Ok(()) | Err(StoreError::Full(_)) => Ok(key),
            Err(error) => Err(error.into()),
        }
    }

    /// What checks its signatures.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }

    /// Signs.
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }
}

async fn keep(store: &Store, sealed: &Value, clock: &Clock) -> Result<(), StoreError> {
    let mut txn = store.begin().await?;
    txn.setting_put(SETTING, sealed, clock.now()).await?;
    txn.commit().await
}

/// Checks signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From hex digits or a PEM file's text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(key) = <[u8; 32]>::try_from(hex::decode(text).unwrap_or_default()) {
            return Some(Self(key));
        }
        let inner = text
            .strip_prefix("-----BEGIN PUBLIC KEY-----")?
            .strip_suffix("-----END PUBLIC KEY-----")?;
        let inner: String = inner.split_whitespace().collect();
        let der = STANDARD.decode(inner).ok()?;
        Some(Self(der.strip_prefix(&SPKI)?.try_into().ok()?))
    }

    /// Hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// As `openssl` takes it.
    pub fn pem(&self) -> String {
        let der = [&SPKI[..], &self.0[..]].concat();
        let text = STANDARD.encode(der);
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// Whether this key signed `text`.
    pub fn fits(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(text, signature).is_ok()
    }
}
