//! The platform's own mirror of plugins and themes: a folder of archives by their SHA-256, filled by
//! uploads, by the directory of WordPress.org and from addresses. What is in it was checked whole.
//! The registry says what is in it and for whom; here are bytes.
//!
//! Deliberately absent: rows, accounts' rights, and knowledge of sites.

mod config;
mod directory;
mod fetch;
mod incoming;

use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use aipress_packages::Archive;
use aipress_packages::Described;
use aipress_packages::Limits;
use aipress_packages::Refusal;
use aipress_packages::headers::describe;
use aipress_types::PackageKind;
use tokio::sync::Mutex;
use tokio::sync::Semaphore;

pub use config::PackagesConfig;
pub use directory::Directory;
pub use directory::DirectoryError;
pub use directory::Listed;
pub use directory::ORIGIN as ORIGIN_DIRECTORY;
pub use fetch::DownloadError;
pub use fetch::Failed;
pub use fetch::Fetches;
pub use fetch::Job;
pub use fetch::Outcome;
pub use fetch::download;
pub use incoming::Incoming;
pub use incoming::IncomingError;
pub use incoming::Received;

/// Largest archive, in bytes: as large as the edge lets a body be. WordPress's largest plugins have
/// 30 MB.
pub const ARCHIVE_MAX: u64 = 100 * 1024 * 1024;
/// What the uploads of one account may take, in bytes.
pub const ACCOUNT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Archives that are received at once; more wait.
const RECEIVED_AT_ONCE: usize = 8;
/// Archives that are checked at once: each inflates its files on a thread.
const CHECKED_AT_ONCE: usize = 2;

/// The mirror's folder.
#[derive(Debug)]
pub struct Mirror {
    dir: PathBuf,
    /// Held while an archive and its row come or go together.
    pub turn: Mutex<()>,
    /// Turns to receive an archive.
    pub receiving: Arc<Semaphore>,
    checking: Semaphore,
    /// Where archives come from that nobody uploaded.
    pub directory: Directory,
    /// Archives that are on their way.
    pub fetches: Fetches,
}

impl Mirror {
    /// The mirror in the configured folder, which is made; what a killed process was receiving is
    /// removed.
    ///
    /// # Errors
    /// When the folder can't be made or read.
    pub fn open(config: &PackagesConfig) -> io::Result<Self> {
        std::fs::create_dir_all(&config.dir)?;
        for entry in std::fs::read_dir(&config.dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(incoming::PREFIX) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self {
            dir: config.dir.clone(),
            turn: Mutex::new(()),
            receiving: Arc::new(Semaphore::new(RECEIVED_AT_ONCE)),
            checking: Semaphore::new(CHECKED_AT_ONCE),
            directory: Directory::new(config),
            fetches: Fetches::new(config.outside.clone()),
        })
    }

    /// Where archives are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the archive with this SHA-256 is, or would be.
    pub fn path(&self, sha256: &str) -> PathBuf {
        self.dir.join(format!("{sha256}.zip"))
    }

    /// Checks an archive whole, and says what it is.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn check(
        &self,
        received: &Received,
        kind: Option<PackageKind>,
    ) -> Result<Described, Refusal> {
        let stopped = |_| Refusal::Io(io::Error::other("shutting down"));
        let _turn = self.checking.acquire().await.map_err(|_| stopped(()))?;
        let path = received.path().to_owned();
        let work = move || {
            let archive = Archive::open(File::open(path)?, &Limits::default())?;
            let described = describe(&archive, kind)?;
            archive.verify()?;
            Ok(described)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| stopped(()))?
    }

    /// Puts a received archive in its place; durable when it returns. Call it within [`Mirror::turn`].
    ///
    /// # Errors
    /// What the file system says.
    pub async fn place(&self, received: &Received) -> io::Result<()> {
        let (from, to, dir) =
            (received.path().to_owned(), self.path(received.sha256()), self.dir.clone());
        blocking(move || {
            // One that is there has the same bytes; it may be damaged, so it is replaced.
            std::fs::rename(from, to)?;
            File::open(dir)?.sync_all()
        })
        .await
    }

    /// Removes an archive that has no row. Call it within [`Mirror::turn`].
    pub async fn remove(&self, sha256: &str) {
        let path = self.path(sha256);
        let removed = blocking(move || std::fs::remove_file(path)).await;
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            // It is only space: the sweep finds it again.
            tracing::warn!(%error, sha256, "an archive can't be removed");
        }
    }

    /// The SHA-256 of every archive that lies there.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn archives(&self) -> io::Result<Vec<String>> {
        let dir = self.dir.clone();
        blocking(move || {
            let mut found = Vec::new();
            for entry in std::fs::read_dir(dir)? {
                let name = entry?.file_name();
                if let Some(sha256) = name.to_str().and_then(|name| name.strip_suffix(".zip")) {
                    found.push(sha256.to_owned());
                }
            }
            Ok(found)
        })
        .await
    }
}

/// Runs file work beside the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
