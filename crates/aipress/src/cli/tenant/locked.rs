//! Archives that are encrypted on this machine, in the age format: no key ever leaves it. Streamed
//! both ways.

use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use aipress_age::AgeError;
use aipress_age::Identity;
use aipress_age::Key;
use aipress_age::Lock;
use aipress_age::MAGIC;
use aipress_age::Passphrase;
use aipress_age::Recipient;
use aipress_age::Sealer;

use crate::args::ExportLock;
use crate::args::ImportKey;
use crate::exit::Failure;

/// Largest file with keys or a passphrase, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// Where an archive goes: as it is, or encrypted.
pub(super) enum Sink<W: Write> {
    Plain(W),
    Sealed(Box<Sealer<W>>),
}

impl<W: Write> Sink<W> {
    pub(super) fn new(out: W, lock: Option<&Lock>) -> Result<Self, Failure> {
        Ok(match lock {
            None => Self::Plain(out),
            Some(lock) => Self::Sealed(Box::new(aipress_age::seal(out, lock).map_err(failed)?)),
        })
    }

    /// Writes what is left; without this an encrypted archive is not whole.
    pub(super) fn finish(self) -> Result<W, Failure> {
        match self {
            Self::Plain(mut out) => {
                out.flush()?;
                Ok(out)
            }
            Self::Sealed(sealer) => sealer.finish().map_err(failed),
        }
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(data),
            Self::Sealed(out) => out.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Sealed(out) => out.flush(),
        }
    }
}

fn failed(error: AgeError) -> Failure {
    Failure::Failed(anyhow::anyhow!("{error}"))
}

/// What an export is encrypted with.
pub(super) fn lock(args: &ExportLock) -> Result<Option<Lock>, Failure> {
    if let Some(path) = &args.passphrase_file {
        return passphrase(path).map(|known| Some(Lock::Passphrase(known)));
    }
    let recipients: Vec<Recipient> = args
        .encrypt_to
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, AgeError>>()
        .map_err(|error| Failure::Usage(format!("--encrypt-to: {error}")))?;
    Ok((!recipients.is_empty()).then_some(Lock::Recipients(recipients)))
}

/// What an import is opened with.
pub(super) fn key(args: &ImportKey) -> Result<Option<Key>, Failure> {
    if let Some(path) = &args.passphrase_file {
        return passphrase(path).map(|known| Some(Key::Passphrase(known)));
    }
    let mut identities = Vec::new();
    for path in &args.identity {
        let found = Identity::list(&secret(path)?);
        let wrong = |error| Failure::Usage(format!("--identity {}: {error}", path.display()));
        identities.extend(found.map_err(wrong)?);
    }
    Ok((!identities.is_empty()).then_some(Key::Identities(identities)))
}

/// The first line of a file.
fn passphrase(path: &Path) -> Result<Passphrase, Failure> {
    let text = secret(path)?;
    let line = text.lines().next().unwrap_or_default();
    let wrong = |error| Failure::Usage(format!("--passphrase-file {}: {error}", path.display()));
    Passphrase::new(line).map_err(wrong)
}

fn secret(path: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The archive behind `input`, whether it is encrypted or not.
pub(super) fn opened(
    mut input: Box<dyn Read + Send>,
    key: Option<&Key>,
) -> Result<Box<dyn Read + Send>, Failure> {
    let mut head = Vec::with_capacity(MAGIC.len());
    (&mut input).take(MAGIC.len() as u64).read_to_end(&mut head)?;
    let is_sealed = head == MAGIC;
    let input = io::Cursor::new(head).chain(input);
    match (is_sealed, key) {
        (true, Some(key)) => Ok(Box::new(aipress_age::open(input, key).map_err(failed)?)),
        (false, None) => Ok(Box::new(input)),
        (true, None) => Err(Failure::Usage(
            "the archive is encrypted: give --identity FILE or --passphrase-file FILE".to_owned(),
        )),
        (false, Some(_)) => Err(Failure::Usage(
            "the archive is not encrypted: leave --identity and --passphrase-file out".to_owned(),
        )),
    }
}
