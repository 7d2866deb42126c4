//! Keys as people write them: `age1…` to encrypt to, `AGE-SECRET-KEY-1…` to open with (Bech32 of
//! BIP 173), and passphrases. None of the secret ones shows itself.

use std::fmt;
use std::str::FromStr;

use bech32::Bech32;
use bech32::Hrp;
use bech32::primitives::decode::CheckedHrpstring;
use x25519_dalek::PublicKey;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::error::AgeError;
use crate::primitives;

const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";

/// Somebody to encrypt to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient(pub(crate) PublicKey);

/// The secret of a recipient.
#[derive(Clone)]
pub struct Identity(pub(crate) StaticSecret);

/// A passphrase.
#[derive(Clone)]
pub struct Passphrase(pub(crate) Zeroizing<String>);

impl Passphrase {
    /// A passphrase of this text.
    ///
    /// # Errors
    /// When it is empty.
    pub fn new(text: impl Into<String>) -> Result<Self, AgeError> {
        let text = Zeroizing::new(text.into());
        if text.is_empty() {
            return Err(AgeError::KeyForm("the passphrase is empty"));
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Identity {
    /// A new one.
    ///
    /// # Errors
    /// Without randomness.
    pub fn generate() -> Result<Self, AgeError> {
        Ok(Self(StaticSecret::from(primitives::random()?)))
    }

    /// Who it opens for.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0))
    }

    /// Its text, a secret.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(write(IDENTITY, self.0.as_bytes()).to_ascii_uppercase())
    }

    /// The identities of a file as `age-keygen` writes it: one a line, `#` begins a comment.
    ///
    /// # Errors
    /// When a line is none, or there is none.
    pub fn list(text: &str) -> Result<Vec<Self>, AgeError> {
        let lines = text.lines().map(str::trim);
        let found: Vec<Self> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        if found.is_empty() {
            return Err(AgeError::KeyForm("there is no identity in it (AGE-SECRET-KEY-1…)"));
        }
        Ok(found)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl FromStr for Identity {
    type Err = AgeError;

    fn from_str(text: &str) -> Result<Self, AgeError> {
        let wrong = AgeError::KeyForm("an identity is AGE-SECRET-KEY-1 and 58 more characters");
        read(IDENTITY, text).map(|key| Self(StaticSecret::from(*key))).ok_or(wrong)
    }
}

impl FromStr for Recipient {
    type Err = AgeError;

    fn from_str(text: &str) -> Result<Self, AgeError> {
        let wrong = if text.to_ascii_lowercase().starts_with(IDENTITY) {
            "this is a secret identity, not a recipient: `age-keygen -y` shows its recipient"
        } else {
            "a recipient is age1 and 58 more characters, as age-keygen shows it"
        };
        let key = read(RECIPIENT, text).ok_or(AgeError::KeyForm(wrong))?;
        Ok(Self(PublicKey::from(*key)))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write(RECIPIENT, self.0.as_bytes()))
    }
}

fn read(prefix: &str, text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let parsed = CheckedHrpstring::new::<Bech32>(text.trim()).ok()?;
    if parsed.hrp().to_lowercase() != prefix {
        return None;
    }
    let bytes = Zeroizing::new(parsed.byte_iter().collect::<Vec<u8>>());
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

fn write(prefix: &str, key: &[u8; 32]) -> String {
    // Neither can fail: the prefixes are constants, the length is far below the limit.
    let Ok(prefix) = Hrp::parse(prefix) else { return String::new() };
    bech32::encode::<Bech32>(prefix, key).unwrap_or_default()
}
