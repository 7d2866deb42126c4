//! An archive on its way into the mirror: written to disk as it comes, hashed and counted, gone when
//! nobody keeps it.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use sha2::Digest;
use sha2::Sha256;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::ARCHIVE_MAX;

/// What names of files begin with that are being received.
pub(crate) const PREFIX: &str = ".incoming-";

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
pub enum IncomingError {
    /// There are more than may be.
    #[error("an archive has at most {} MiB", ARCHIVE_MAX / 1024 / 1024)]
    TooLarge,
    /// They could not be written.
    #[error("write an archive")]
    Io(#[from] io::Error),
}

/// A file that is removed when it is dropped, unless it was renamed away.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Renamed away, or removed with the mirror's folder.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Bytes that are being received.
pub struct Incoming {
    at: Temporary,
    file: File,
    hash: Sha256,
    size: u64,
}

/// An archive on disk, whole as far as its sender said.
#[derive(Debug)]
pub struct Received {
    at: Temporary,
    sha256: String,
    size: u64,
}

impl Incoming {
    /// Begins to receive into `dir`.
    pub async fn begin(dir: &Path) -> io::Result<Self> {
        let path = dir.join(format!("{PREFIX}{}", Uuid::new_v4()));
        let file = File::options().write(true).create_new(true).open(&path).await?;
        Ok(Self { at: Temporary(path), file, hash: Sha256::new(), size: 0 })
    }

    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), IncomingError> {
        self.size += bytes.len() as u64;
        if self.size > ARCHIVE_MAX {
            return Err(IncomingError::TooLarge);
        }
        self.hash.update(bytes);
        Ok(self.file.write_all(bytes).await?)
    }

    /// The last byte is there: makes it durable.
    pub async fn end(mut self) -> io::Result<Received> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        Ok(Received { at: self.at, sha256: hex::encode(self.hash.finalize()), size: self.size })
    }
}

impl Received {
    /// Where it lies now.
    pub fn path(&self) -> &Path {
        &self.at.0
    }

    /// SHA-256 of its bytes, 64 lower-case hex digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}
