//! Uploaded archives on meta's disk: one file for each import, written at its end only.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use uuid::Uuid;

/// Largest archive, in bytes.
pub(crate) const ARCHIVE_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Uploads that are kept at once for an account.
pub(crate) const IMPORTS_MAX: usize = 8;
/// Space that stays free on the disk, in bytes: the registry is on it, too.
pub(crate) const HEADROOM: u64 = 1024 * 1024 * 1024;

/// The folder of uploads.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    /// Imports that somebody writes to.
    writing: Mutex<Vec<Uuid>>,
}

/// The right to write to one upload; ends with it.
#[derive(Debug)]
pub(crate) struct Turn<'s> {
    spool: &'s Spool,
    id: Uuid,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.spool.lock().retain(|id| *id != self.id);
    }
}

impl Spool {
    /// The folder, which is made when it is first needed.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, writing: Mutex::new(Vec::new()) }
    }

    /// The right to write; `None` when somebody else has it.
    pub(crate) fn turn(&self, id: Uuid) -> Option<Turn<'_>> {
        let mut writing = self.lock();
        if writing.contains(&id) {
            return None;
        }
        writing.push(id);
        Some(Turn { spool: self, id })
    }

    /// Whether somebody writes to it right now.
    pub(crate) fn is_written(&self, id: Uuid) -> bool {
        self.lock().contains(&id)
    }

    /// The imports that somebody writes to.
    pub(crate) fn written(&self) -> Vec<Uuid> {
        self.lock().clone()
    }

    /// The file of an import.
    pub(crate) fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(format!("{id}.aip"))
    }

    /// Bytes that are there.
    pub(crate) fn size(&self, id: Uuid) -> io::Result<u64> {
        match std::fs::metadata(self.path(id)) {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The file, opened to write at its end.
    pub(crate) fn append(&self, id: Uuid) -> io::Result<std::fs::File> {
        use std::os::unix::fs::DirBuilderExt;
        use std::os::unix::fs::OpenOptionsExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        std::fs::File::options().append(true).create(true).mode(0o600).open(self.path(id))
    }

    /// Space that may be used, in bytes.
    pub(crate) fn room(&self) -> io::Result<u64> {
        let dir = self.dir.parent().unwrap_or(&self.dir);
        let found = rustix::fs::statvfs(dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize).saturating_sub(HEADROOM))
    }

    /// Removes a file. One that is not there is gone already.
    pub(crate) fn remove(&self, id: Uuid) -> io::Result<()> {
        match std::fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The imports that have a file.
    pub(crate) fn list(&self) -> io::Result<Vec<Uuid>> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry?.path();
            ids.extend(path.file_stem().and_then(|stem| stem.to_str()?.parse::<Uuid>().ok()));
        }
        Ok(ids)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Uuid>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
