//! `run/units/NAME.json`: what runs, for the supervisor that comes after a killed one.
//!
//! Written (atomically) before the unit's program is executed and removed when
//! its session is empty, so there is no unit without a record. It holds what
//! is needed to prove a process ours and to end it as its policy says, even
//! when the next supervisor no longer knows that unit.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::unit::StopPolicy;

/// A unit's process as it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// Leader of the unit's session; its id is the session's.
    pub(crate) pid: i32,
    pub(crate) start_ticks: u64,
    pub(crate) boot_id: String,
    pub(crate) program: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) stop: StopPolicy,
    /// Units that must outlive this one.
    pub(crate) after: Vec<String>,
}

/// The folder of the records.
#[derive(Debug, Clone)]
pub(crate) struct RecordDir(PathBuf);

impl RecordDir {
    /// `units` below the supervisor's folder, mode 0700.
    pub(crate) fn open(run_dir: &Path) -> io::Result<Self> {
        let path = run_dir.join("units");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        // No sync: after a crash of the machine the boot id makes it void.
        let fresh = self.0.join(format!(".{}.new", record.name));
        fs::write(&fresh, serde_json::to_vec(record)?)?;
        fs::rename(fresh, self.path(&record.name))
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Every record. What cannot be read proves nothing: it is removed, and
    /// the log says so.
    pub(crate) fn list(&self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            match fs::read(&path).map(|json| serde_json::from_slice(&json)) {
                Ok(Ok(record)) => records.push(record),
                unreadable => {
                    tracing::warn!(path = %path.display(), ?unreadable, "unit record is not readable, removed");
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(records)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_is_read_and_rubbish_goes() {
        let dir = tempfile::tempdir().unwrap();
        let records = RecordDir::open(dir.path()).unwrap();
        let record = Record {
            name: "meta".into(),
            pid: 7,
            start_ticks: 9,
            boot_id: "b".into(),
            program: "/bin/true".into(),
            log: "/tmp/log".into(),
            stop: StopPolicy::default(),
            after: vec!["db".into()],
        };
        records.write(&record).unwrap();
        fs::write(dir.path().join("units/half.json"), "{").unwrap();
        assert_eq!(records.list().unwrap(), [record]);
        assert!(!dir.path().join("units/half.json").exists());
        records.remove("meta").unwrap();
        records.remove("meta").unwrap();
        assert!(records.list().unwrap().is_empty());
    }
}
