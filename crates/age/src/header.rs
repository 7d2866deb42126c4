//! The head of a file: the file's key, wrapped for whoever may open it, and a MAC over all of it.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::hmac;
use x25519_dalek::PublicKey;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::Key;
use crate::Lock;
use crate::MAGIC;
use crate::early;
use crate::error::AgeError;
use crate::keys::Identity;
use crate::keys::Passphrase;
use crate::keys::Recipient;
use crate::primitives;
use crate::primitives::Cipher;
use crate::primitives::TAG;

/// The file's key, in bytes.
pub(crate) const FILE_KEY: usize = 16;
/// Largest head that is read, in bytes, and most recipients in it.
const HEAD_MAX: usize = 64 * 1024;
const STANZAS_MAX: usize = 256;
/// A body is broken into lines of so many characters; a shorter one ends it.
const COLUMNS: usize = 64;
const X25519_LABEL: &[u8] = b"age-encryption.org/v1/X25519";
const SCRYPT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
/// As age itself: about a second and 256 MiB.
const WORK: u8 = if cfg!(test) { 10 } else { 18 };
/// Most that a file may ask for: a hostile one could ask for hours.
const WORK_MAX: u8 = 20;
/// Each wrapping key is used once.
const ZERO: [u8; 12] = [0; 12];

struct Stanza {
    words: Vec<String>,
    body: Vec<u8>,
}

/// The whole head of a new file.
pub(crate) fn write(file_key: &[u8; FILE_KEY], lock: &Lock) -> Result<Vec<u8>, AgeError> {
    let mut head = MAGIC.to_vec();
    match lock {
        Lock::Recipients(recipients) => {
            if recipients.is_empty() || recipients.len() > STANZAS_MAX {
                return Err(AgeError::KeyForm("1 to 256 recipients are needed"));
            }
            for recipient in recipients {
                stanza(&mut head, &for_recipient(file_key, recipient)?);
            }
        }
        Lock::Passphrase(passphrase) => {
            stanza(&mut head, &for_passphrase(file_key, passphrase, WORK)?);
        }
    }
    head.extend_from_slice(b"---");
    let mac = hmac::sign(&mac_key(file_key)?, &head);
    head.push(b' ');
    head.extend_from_slice(STANDARD_NO_PAD.encode(mac).as_bytes());
    head.push(b'\n');
    Ok(head)
}

fn stanza(head: &mut Vec<u8>, stanza: &Stanza) {
    head.extend_from_slice(b"-> ");
    head.extend_from_slice(stanza.words.join(" ").as_bytes());
    head.push(b'\n');
    let body = STANDARD_NO_PAD.encode(&stanza.body);
    for line in body.as_bytes().chunks(COLUMNS) {
        head.extend_from_slice(line);
        head.push(b'\n');
    }
    if body.len().is_multiple_of(COLUMNS) {
        head.push(b'\n');
    }
}

fn for_recipient(file_key: &[u8; FILE_KEY], recipient: &Recipient) -> Result<Stanza, AgeError> {
    // Made from random bytes of ours: its own source of them would be another dependency.
    let ephemeral = StaticSecret::from(primitives::random()?);
    let share = PublicKey::from(&ephemeral);
    let shared = primitives::contributed(ephemeral.diffie_hellman(&recipient.0))?;
    let salt = [share.as_bytes().as_slice(), recipient.0.as_bytes()].concat();
    let key = primitives::derive(shared.as_bytes(), &salt, X25519_LABEL)?;
    let words = vec!["X25519".to_owned(), STANDARD_NO_PAD.encode(share.as_bytes())];
    Ok(Stanza { words, body: wrap(&key, file_key)? })
}

fn for_passphrase(
    file_key: &[u8; FILE_KEY],
    passphrase: &Passphrase,
    work: u8,
) -> Result<Stanza, AgeError> {
    let salt = primitives::random::<16>()?;
    let key = passphrase_key(passphrase, &salt, work)?;
    let words = vec!["scrypt".to_owned(), STANDARD_NO_PAD.encode(salt), work.to_string()];
    Ok(Stanza { words, body: wrap(&key, file_key)? })
}

fn passphrase_key(
    passphrase: &Passphrase,
    salt: &[u8],
    work: u8,
) -> Result<Zeroizing<[u8; 32]>, AgeError> {
    let salt = [SCRYPT_LABEL, salt].concat();
    primitives::stretch(passphrase.0.as_bytes(), &salt, work)
}

fn wrap(key: &[u8; 32], file_key: &[u8; FILE_KEY]) -> Result<Vec<u8>, AgeError> {
    let mut body = file_key.to_vec();
    Cipher::new(key)?.seal(ZERO, &mut body)?;
    Ok(body)
}

fn unwrap(key: &[u8; 32], body: &[u8]) -> Result<Option<Zeroizing<[u8; FILE_KEY]>>, AgeError> {
    if body.len() != FILE_KEY + TAG {
        return Err(AgeError::Head("a wrapped key of another length"));
    }
    let mut body = Zeroizing::new(body.to_vec());
    let opened = Cipher::new(key)?.open(ZERO, &mut body);
    Ok(opened.and_then(|key| <[u8; FILE_KEY]>::try_from(&*key).ok()).map(Zeroizing::new))
}

fn mac_key(file_key: &[u8; FILE_KEY]) -> Result<hmac::Key, AgeError> {
    let key = primitives::derive(file_key, &[], b"header")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key))
}

/// Reads the head, and finds the file's key in it.
pub(crate) fn read(
    input: &mut impl Read,
    key: &Key,
) -> Result<Zeroizing<[u8; FILE_KEY]>, AgeError> {
    let mut lines = Lines { input, read: Vec::new() };
    lines.magic()?;
    let mut stanzas = Vec::new();
    let mac = loop {
        let line = lines.next()?;
        if let Some(mac) = line.strip_prefix("--- ") {
            break decode(mac)?;
        }
        let words = line.strip_prefix("-> ").ok_or(AgeError::Head("a line that is none of it"))?;
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        if words.iter().any(String::is_empty) || stanzas.len() >= STANZAS_MAX {
            return Err(AgeError::Head("too many recipients, or one without a kind"));
        }
        stanzas.push(Stanza { words, body: lines.body()? });
    };
    let file_key = find(&stanzas, key)?;
    let signed = lines.read.len() - (" \n".len() + STANDARD_NO_PAD.encode(&mac).len());
    let signed = lines.read.get(..signed).unwrap_or_default();
    hmac::verify(&mac_key(&file_key)?, signed, &mac)
        .map_err(|_| AgeError::Head("its checksum differs"))?;
    Ok(file_key)
}

fn find(stanzas: &[Stanza], key: &Key) -> Result<Zeroizing<[u8; FILE_KEY]>, AgeError> {
    let is_scrypt = |stanza: &Stanza| stanza.words.first().is_some_and(|word| word == "scrypt");
    match (key, stanzas) {
        (Key::Passphrase(passphrase), [only]) if is_scrypt(only) => {
            by_passphrase(only, passphrase)?.ok_or(AgeError::WrongPassphrase)
        }
        (_, stanzas) if stanzas.len() > 1 && stanzas.iter().any(is_scrypt) => {
            Err(AgeError::Head("a passphrase beside other recipients"))
        }
        (Key::Passphrase(_), _) => Err(AgeError::WantsIdentity),
        (Key::Identities(_), [only]) if is_scrypt(only) => Err(AgeError::WantsPassphrase),
        (Key::Identities(identities), stanzas) => {
            for stanza in stanzas {
                for identity in identities {
                    if let Some(found) = by_identity(stanza, identity)? {
                        return Ok(found);
                    }
                }
            }
            Err(AgeError::NotForYou)
        }
    }
}

fn by_passphrase(
    stanza: &Stanza,
    passphrase: &Passphrase,
) -> Result<Option<Zeroizing<[u8; FILE_KEY]>>, AgeError> {
    let [_, salt, work] = stanza.words.as_slice() else {
        return Err(AgeError::Head("a passphrase's line that can't be read"));
    };
    let canonical = !work.starts_with(['0', '+']);
    let work: u8 = work.parse().ok().filter(|_| canonical).ok_or(AgeError::Head("its work"))?;
    if work > WORK_MAX {
        return Err(AgeError::Head("it asks for more work than is done for a passphrase"));
    }
    let salt = decode(salt)?;
    if salt.len() != 16 {
        return Err(AgeError::Head("a salt of another length"));
    }
    unwrap(&*passphrase_key(passphrase, &salt, work)?, &stanza.body)
}

fn by_identity(
    stanza: &Stanza,
    identity: &Identity,
) -> Result<Option<Zeroizing<[u8; FILE_KEY]>>, AgeError> {
    let [kind, share] = stanza.words.as_slice() else { return Ok(None) };
    if kind != "X25519" {
        return Ok(None);
    }
    let share: [u8; 32] =
        decode(share)?.try_into().map_err(|_| AgeError::Head("a share of another length"))?;
    let shared = primitives::contributed(identity.0.diffie_hellman(&PublicKey::from(share)))?;
    let salt = [share.as_slice(), identity.recipient().0.as_bytes()].concat();
    unwrap(&*primitives::derive(shared.as_bytes(), &salt, X25519_LABEL)?, &stanza.body)
}

/// Base64 without padding, in its one canonical form.
fn decode(text: &str) -> Result<Vec<u8>, AgeError> {
    STANDARD_NO_PAD.decode(text).map_err(|_| AgeError::Head("what is not base64"))
}

/// Lines of the head, and all of it so far. Read byte by byte: what follows is the payload's.
struct Lines<'r, R> {
    input: &'r mut R,
    read: Vec<u8>,
}

impl<R: Read> Lines<'_, R> {
    fn magic(&mut self) -> Result<(), AgeError> {
        let mut found = vec![0; MAGIC.len()];
        match self.input.read_exact(&mut found) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(AgeError::NotAge);
            }
            other => other?,
        }
        if found != MAGIC {
            return Err(AgeError::NotAge);
        }
        self.read = found;
        Ok(())
    }

    fn next(&mut self) -> Result<String, AgeError> {
        let begin = self.read.len();
        loop {
            let mut byte = [0];
            self.input.read_exact(&mut byte).map_err(early)?;
            self.read.extend_from_slice(&byte);
            if byte == *b"\n" {
                let line = self.read.get(begin..self.read.len() - 1).unwrap_or_default();
                let text = std::str::from_utf8(line).map_err(|_| AgeError::Head("no text"))?;
                return Ok(text.to_owned());
            }
            if self.read.len() > HEAD_MAX {
                return Err(AgeError::Head("it is too long"));
            }
        }
    }

    fn body(&mut self) -> Result<Vec<u8>, AgeError> {
        let mut text = String::new();
        loop {
            let line = self.next()?;
            if line.len() > COLUMNS {
                return Err(AgeError::Head("a line that is too long"));
            }
            text.push_str(&line);
            if line.len() < COLUMNS {
                return decode(&text);
            }
        }
    }
}
