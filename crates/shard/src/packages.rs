//! Where archives of plugins and themes come from: meta's mirror, through a cache of the shard's own.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use aipress_api::internal::PackageResolve;
use aipress_api::internal::PackageResolved;
use aipress_types::PackageKind;
use aipress_types::PackageSpec;
use aipress_types::TenantUid;
use async_trait::async_trait;
use http_body_util::BodyExt;
use sha2::Digest;
use sha2::Sha256;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::meta::call::CallError;
use crate::meta::call::Meta;

/// What the cache keeps, in bytes; the least recently used go first.
const CACHE_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Longest time for an archive to come from meta.
const ARCHIVE_TIMEOUT: Duration = Duration::from_secs(60);
/// What names of files begin with that are being received.
const INCOMING: &str = ".incoming-";

/// An archive on the shard's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obtained {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of the archive.
    pub sha256: String,
    /// The version that it holds.
    pub version: String,
}

/// Why an archive could not be obtained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotObtained {
    /// The mirror is getting it: ask again.
    #[error("the archive is being fetched")]
    Fetching,
    /// It can't be had; what to do, for people.
    #[error("{0}")]
    Refused(String),
    /// Meta can't be asked, or the disk not written.
    #[error("{0}")]
    Trouble(String),
}

/// Where archives come from: meta's mirror in the real platform, a list in tests.
#[async_trait]
pub trait PackageShelf: Send + Sync {
    /// The archive that an entry of a site's spec means.
    async fn obtain(
        &self,
        uid: TenantUid,
        kind: PackageKind,
        wanted: &PackageSpec,
    ) -> Result<Obtained, NotObtained>;
}

/// Meta's mirror, with a cache.
pub(crate) struct Mirror {
    meta: Meta,
    dir: PathBuf,
}

impl Mirror {
    pub(crate) fn new(meta: Meta, dir: PathBuf) -> Self {
        Self { meta, dir }
    }

    async fn fetch(&self, uid: TenantUid, sha256: &str, size: u64) -> Result<(), NotObtained> {
        let trouble = |error: &dyn std::fmt::Display| NotObtained::Trouble(error.to_string());
        tokio::fs::create_dir_all(&self.dir).await.map_err(|error| trouble(&error))?;
        let incoming = self.dir.join(format!("{INCOMING}{}", Uuid::new_v4()));
        let received =
            tokio::time::timeout(ARCHIVE_TIMEOUT, self.receive(uid, sha256, size, &incoming))
                .await
                .unwrap_or_else(|_| {
                    Err(NotObtained::Trouble("the archive did not come in time".into()))
                });
        let placed = match received {
            Ok(()) => tokio::fs::rename(&incoming, self.path(sha256))
                .await
                .map_err(|error| trouble(&error)),
            Err(error) => Err(error),
        };
        if placed.is_err() {
            // What is not removed now the next trim finds.
            let _ = tokio::fs::remove_file(&incoming).await;
        }
        placed
    }

    async fn receive(
        &self,
        uid: TenantUid,
        sha256: &str,
        size: u64,
        to: &Path,
    ) -> Result<(), NotObtained> {
        let trouble = |error: &dyn std::fmt::Display| NotObtained::Trouble(error.to_string());
        let path = format!("{}/{sha256}?tenant={uid}", aipress_api::paths::INTERNAL_PACKAGES);
        let mut body = self.meta.stream(&path).await.map_err(|error| trouble(&error))?;
        let mut file = tokio::fs::File::create_new(to).await.map_err(|error| trouble(&error))?;
        let (mut hash, mut received) = (Sha256::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| trouble(&error))?;
            let Some(data) = frame.data_ref() else { continue };
            received += data.len() as u64;
            if received > size {
                break;
            }
            hash.update(data);
            file.write_all(data).await.map_err(|error| trouble(&error))?;
        }
        file.sync_all().await.map_err(|error| trouble(&error))?;
        if received == size && hex::encode(hash.finalize()) == sha256 {
            return Ok(());
        }
        Err(NotObtained::Trouble("the archive came damaged from the mirror".to_owned()))
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.dir.join(format!("{sha256}.zip"))
    }

    /// Whether the cache has the archive, undamaged; then it counts as used now.
    async fn has(&self, sha256: &str) -> bool {
        let (path, wanted) = (self.path(sha256), sha256.to_owned());
        let look = move || -> io::Result<bool> {
            let mut file = std::fs::File::options().read(true).write(true).open(path)?;
            let mut hash = Sha256::new();
            io::copy(&mut file, &mut HashWriter(&mut hash))?;
            file.set_modified(SystemTime::now())?;
            Ok(hex::encode(hash.finalize()) == wanted)
        };
        matches!(tokio::task::spawn_blocking(look).await, Ok(Ok(true)))
    }

    /// Makes room. Best effort: what can't be removed now is tried with the next archive.
    async fn trim(&self) {
        let dir = self.dir.clone();
        let work = move || trim(&dir, CACHE_MAX);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!(%error, "the cache of packages can't be trimmed");
        }
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes the least recently used until the rest fits, and what a killed process was receiving.
fn trim(dir: &Path, most: u64) -> io::Result<()> {
    let now = SystemTime::now();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let used = metadata.modified()?;
        let age = now.duration_since(used).unwrap_or_default();
        if entry.file_name().to_string_lossy().starts_with(INCOMING) {
            if age > ARCHIVE_TIMEOUT * 2 {
                std::fs::remove_file(entry.path())?;
            }
            continue;
        }
        files.push((used, metadata.len(), entry.path()));
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in files {
        if total <= most {
            break;
        }
        std::fs::remove_file(path)?;
        total -= size;
    }
    Ok(())
}

#[async_trait]
impl PackageShelf for Mirror {
    async fn obtain(
        &self,
        uid: TenantUid,
        kind: PackageKind,
        wanted: &PackageSpec,
    ) -> Result<Obtained, NotObtained> {
        let ask = PackageResolve {
            tenant: uid,
            kind,
            name: wanted.name.clone(),
            version: wanted.version.clone(),
            source: wanted.source.clone(),
        };
        let path = format!("{}/resolve", aipress_api::paths::INTERNAL_PACKAGES);
        let answer: Result<PackageResolved, CallError> = self.meta.post(&path, &ask).await;
        match answer.map_err(|error| NotObtained::Trouble(error.to_string()))? {
            PackageResolved::Fetching => Err(NotObtained::Fetching),
            PackageResolved::Refused { detail, .. } => Err(NotObtained::Refused(detail)),
            PackageResolved::Ready { sha256, version, size } => {
                if !self.has(&sha256).await {
                    self.fetch(uid, &sha256, size).await?;
                    self.trim().await;
                }
                Ok(Obtained { path: self.path(&sha256), sha256, version })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (name, age) in [("a.zip", 30), ("b.zip", 10), ("c.zip", 20), (".incoming-x", 300)] {
            let file = std::fs::File::create(dir.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        trim(dir.path(), 250).unwrap();
        let mut left: Vec<String> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["b.zip", "c.zip"]);
    }
}
