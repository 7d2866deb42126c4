//! `known-checksums.json`: the SHA-256 of every release archive ever taken.
//!
//! A checksum published beside an archive changes with it when somebody
//! replaces both; one remembered from the first time does not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::CoreError;

const NAME: &str = "known-checksums.json";

/// The remembered checksums, in every folder that has a copy of them: the data
/// folder outlives a wiped cache, the cache a new data folder.
#[derive(Debug, Clone)]
pub(crate) struct KnownChecksums {
    paths: Vec<PathBuf>,
}

impl KnownChecksums {
    /// The checksums remembered in `dirs`.
    pub(crate) fn in_dirs(dirs: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { paths: dirs.into_iter().map(|dir| dir.join(NAME)).collect() }
    }

    /// Compares `sha256` (hex) of `archive` with what is remembered, and
    /// remembers it when it is new.
    ///
    /// # Errors
    /// [`CoreError::ChecksumRefused`] when another one is remembered anywhere.
    pub(crate) fn check(&self, archive: &str, sha256: &str) -> Result<(), CoreError> {
        let mut lists = Vec::new();
        for path in &self.paths {
            let known = read(path)?;
            if let Some(expected) = known.get(archive).filter(|expected| *expected != sha256) {
                return Err(CoreError::ChecksumRefused {
                    what: archive.to_owned(),
                    by: "remembered from before",
                    expected: expected.clone(),
                    actual: sha256.to_owned(),
                    memory: path.clone(),
                });
            }
            lists.push((path, known));
        }
        for (path, mut known) in lists {
            if known.insert(archive.to_owned(), sha256.to_owned()).is_none() {
                let mut text = serde_json::to_vec_pretty(&known)
                    .map_err(|error| CoreError::malformed(NAME, error))?;
                text.push(b'\n');
                crate::config_file::replace(path, &text)?;
            }
        }
        Ok(())
    }

    /// The first of the files, to name in errors.
    pub(crate) fn path(&self) -> PathBuf {
        self.paths.first().cloned().unwrap_or_default()
    }
}

fn read(path: &PathBuf) -> Result<BTreeMap<String, String>, CoreError> {
    match std::fs::read(path) {
        // A damaged memory must not become an empty one.
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|error| CoreError::malformed(path.display().to_string(), error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(CoreError::io("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_archive_is_refused_even_after_the_cache_is_wiped() {
        let data = tempfile::tempdir().expect("folder");
        let cache = tempfile::tempdir().expect("folder");
        let dirs = || [data.path().to_owned(), cache.path().to_owned()];
        KnownChecksums::in_dirs(dirs()).check("a.tar.gz", "11").expect("first");
        KnownChecksums::in_dirs(dirs()).check("a.tar.gz", "11").expect("same");
        std::fs::remove_file(cache.path().join(NAME)).expect("wipe");
        let error = KnownChecksums::in_dirs(dirs()).check("a.tar.gz", "22").expect_err("changed");
        assert!(matches!(error, CoreError::ChecksumRefused { .. }), "{error}");
        assert!(!cache.path().join(NAME).exists(), "a refused checksum is not remembered");
    }

    #[test]
    fn a_damaged_memory_is_an_error() {
        let data = tempfile::tempdir().expect("folder");
        std::fs::write(data.path().join(NAME), "{").expect("write");
        assert!(KnownChecksums::in_dirs([data.path().to_owned()]).check("a", "1").is_err());
    }
}
