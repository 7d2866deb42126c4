//! Exports of this shard's sites: each written into a spool once, read from there as it grows and
//! as often as a connection breaks, and forgotten after a day.
//!
//! A spool is `exports/<id>.part` while it is written; once whole it is `<id>.aip` beside its
//! `<id>.json`. One that was cut off by the end of the process is removed at the next start: meta
//! asks again, and it is begun anew under another attempt.

mod write;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use aipress_api::internal::ExportBegin;
use aipress_api::internal::ExportPhase;
use aipress_api::internal::ExportStatus;
use aipress_kit::tasks;
use tokio::sync::watch;
use uuid::Uuid;

use crate::plane::Plane;

/// How long a spool is kept.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Exports under way at once on a shard; one more waits.
const RUNNING: usize = 2;
/// Space that stays free on the disk, in bytes: sites go on while somebody exports.
const HEADROOM: u64 = 1024 * 1024 * 1024;

/// Why an export can't be begun or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    #[error("no such export here")]
    Unknown,
    #[error("the site is not on this shard, or not whole")]
    NoSite,
    #[error(
        "the disk of the shard has {free_mb} MB left, and the site's archive may need {needed_mb}: \
         free some space, or wait until other exports expire"
    )]
    NoSpace { free_mb: u64, needed_mb: u64 },
    #[error("spool of exports: {0}")]
    Io(#[from] io::Error),
}

/// One export.
pub(crate) struct Job {
    pub(crate) status: watch::Sender<ExportStatus>,
    part: PathBuf,
    whole: PathBuf,
    note: PathBuf,
}

impl Job {
    /// The spool as far as it is written.
    pub(crate) fn open(&self) -> io::Result<fs::File> {
        // Renamed at any moment: then it is at its other name.
        fs::File::open(&self.part).or_else(|_| fs::File::open(&self.whole))
    }
}

/// The exports of a shard.
pub(crate) struct Exports {
    dir: PathBuf,
    jobs: Mutex<HashMap<Uuid, Arc<Job>>>,
    running: tokio::sync::Semaphore,
}

impl Exports {
    /// The spool's folder (0700), with what the last process finished in it.
    ///
    /// # Errors
    /// When the folder can't be made or read.
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let exports = Self {
            dir,
            jobs: Mutex::new(HashMap::new()),
            running: tokio::sync::Semaphore::new(RUNNING),
        };
        exports.load()?;
        Ok(exports)
    }

    fn load(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            // Gone with its note, which came first.
            if !path.exists() {
                continue;
            }
            let id = path.file_stem().and_then(|stem| stem.to_str()?.parse::<Uuid>().ok());
            let is = |suffix: &str| path.extension().is_some_and(|found| found == suffix);
            match id {
                Some(id) if is("json") => {
                    let status = serde_json::from_slice::<ExportStatus>(&fs::read(&path)?);
                    if let Ok(status) = status
                        && self.is_there(id, &status)
                    {
                        self.lock().insert(id, Arc::new(self.job(id, status)));
                    } else {
                        fs::remove_file(&path)?;
                        remove_if_there(&path.with_extension("aip"))?;
                    }
                }
                // Its other half is what counts.
                Some(id) if is("aip") && self.dir.join(format!("{id}.json")).exists() => {}
                _ => fs::remove_file(&path)?,
            }
        }
        Ok(())
    }

    /// Whether its archive is as long as it was; a failed one has none. The data is not synced
    /// before its note: a power cut may have taken it.
    fn is_there(&self, id: Uuid, status: &ExportStatus) -> bool {
        let size = || fs::metadata(self.dir.join(format!("{id}.aip"))).map_or(0, |file| file.len());
        status.phase != ExportPhase::Done || size() == status.bytes
    }

    fn job(&self, id: Uuid, status: ExportStatus) -> Job {
        let path = |suffix: &str| self.dir.join(format!("{id}.{suffix}"));
        Job {
            status: watch::Sender::new(status),
            part: path("part"),
            whole: path("aip"),
            note: path("json"),
        }
    }

    /// One export.
    pub(crate) fn fetch(&self, id: Uuid) -> Result<Arc<Job>, ExportError> {
        self.lock().get(&id).cloned().ok_or(ExportError::Unknown)
    }

    /// Removes an export and its spool; one that is being written ends by itself.
    pub(crate) fn remove(&self, id: Uuid) -> io::Result<()> {
        let Some(job) = self.lock().remove(&id) else { return Ok(()) };
        job.status.send_modify(|status| {
            if status.phase == ExportPhase::Running {
                status.phase = ExportPhase::Failed;
                status.message = Some("it was removed".to_owned());
            }
        });
        for path in [&job.note, &job.part, &job.whole] {
            remove_if_there(path)?;
        }
        Ok(())
    }

    /// Removes what was made longer ago than it is kept.
    pub(crate) fn sweep(&self) {
        let jobs: Vec<(Uuid, PathBuf)> =
            self.lock().iter().map(|(id, job)| (*id, job.note.clone())).collect();
        for (id, note) in jobs {
            let made = fs::metadata(&note).and_then(|meta| meta.modified());
            let age = made.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age > KEPT)
                && let Err(error) = self.remove(id)
            {
                tracing::warn!(export = %id, %error, "an old export can't be removed");
            }
        }
    }

    fn free(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Begins an export, or tells how one is that is known.
pub(crate) async fn ensure(
    plane: &Arc<Plane>,
    id: Uuid,
    begin: ExportBegin,
) -> Result<ExportStatus, ExportError> {
    let exports = &plane.exports;
    if let Ok(job) = exports.fetch(id) {
        return Ok(job.status.borrow().clone());
    }
    let tenant = plane.tenants.fetch(begin.tenant).ok_or(ExportError::NoSite)?;
    if !tenant.entry.built || tenant.entry.aside {
        return Err(ExportError::NoSite);
    }
    let status = ExportStatus {
        phase: ExportPhase::Running,
        attempt: Uuid::new_v4(),
        ..ExportStatus::default()
    };
    let job = Arc::new(exports.job(id, status.clone()));
    {
        let mut jobs = exports.lock();
        if let Some(known) = jobs.get(&id) {
            return Ok(known.status.borrow().clone());
        }
        // Its file is there before anybody looks for it.
        fs::File::create(&job.part)?;
        jobs.insert(id, Arc::clone(&job));
    }
    let plane = Arc::clone(plane);
    tasks::spawn("export", async move {
        let _turn = plane.exports.running.acquire().await;
        let written = write::run(&plane, &job, begin, tenant).await;
        end(&plane, id, &job, written);
    });
    Ok(status)
}

/// Makes the end durable, then tells it.
fn end(plane: &Plane, id: Uuid, job: &Job, written: Result<write::Written, String>) {
    let mut status = job.status.borrow().clone();
    match written {
        Ok(written) => {
            status.phase = ExportPhase::Done;
            (status.bytes, status.crc32) = (written.bytes, Some(written.crc32));
            status.notes = written.notes;
        }
        Err(message) => {
            tracing::warn!(export = %id, message, "an export failed");
            status.phase = ExportPhase::Failed;
            status.message = Some(message);
        }
    }
    if let Err(error) = keep(job, &status) {
        status.phase = ExportPhase::Failed;
        status.message = Some(format!("spool of exports: {error}"));
    }
    if plane.exports.fetch(id).is_ok() {
        job.status.send_replace(status);
    }
}

fn keep(job: &Job, status: &ExportStatus) -> io::Result<()> {
    if status.phase == ExportPhase::Done {
        fs::rename(&job.part, &job.whole)?;
    } else {
        remove_if_there(&job.part)?;
    }
    aipress_kit::durable::write(&job.note, &serde_json::to_vec(status)?, 0o600)
}

impl Exports {
    /// Refuses an archive for which there may be no space.
    pub(crate) fn check_space(&self, needed: u64) -> Result<(), ExportError> {
        let free = self.free()?;
        if free < needed.saturating_add(HEADROOM) {
            let mb = |bytes: u64| bytes / 1_000_000;
            return Err(ExportError::NoSpace { free_mb: mb(free), needed_mb: mb(needed) });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folder of a spool with an export of so many bytes, of which its note says `noted`.
    fn spool(bytes: usize, noted: u64, phase: ExportPhase) -> (tempfile::TempDir, Uuid) {
        let (dir, id) = (tempfile::tempdir().unwrap(), Uuid::new_v4());
        let at = |suffix: &str| dir.path().join(format!("{id}.{suffix}"));
        let status = ExportStatus { phase, bytes: noted, ..ExportStatus::default() };
        fs::write(at("json"), serde_json::to_vec(&status).unwrap()).unwrap();
        fs::write(at("aip"), vec![0; bytes]).unwrap();
        fs::write(dir.path().join(format!("{}.part", Uuid::new_v4())), b"cut").unwrap();
        (dir, id)
    }

    #[test]
    fn a_start_keeps_whole_archives_and_removes_what_a_power_cut_left() {
        for (bytes, noted, kept) in [(9, 9, true), (4, 9, false), (0, 9, false)] {
            let (dir, id) = spool(bytes, noted, ExportPhase::Done);
            let exports = Exports::open(dir.path().to_owned()).unwrap();
            assert_eq!(exports.fetch(id).is_ok(), kept, "{bytes} of {noted}");
            let left = fs::read_dir(dir.path()).unwrap().count();
            assert_eq!(left, if kept { 2 } else { 0 }, "{bytes} of {noted}");
        }
    }
}
