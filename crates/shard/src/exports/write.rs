//! Writes one archive into its spool.

use std::fs;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc;

use aipress_api::internal::ExportBegin;
use aipress_api::internal::ExportPhase;
use aipress_archive::ArchiveError;
use aipress_archive::ArchiveWriter;
use aipress_archive::Manifest;
use aipress_archive::inspect;
use aipress_archive::manifest::FORMAT_VERSION;
use aipress_archive::manifest::ManifestDatabase;
use aipress_archive::manifest::ManifestFiles;
use aipress_archive::manifest::ManifestTenant;
use aipress_archive::manifest::ManifestWordPress;
use aipress_archive::write::Fit;
use aipress_drivers::ContentFacts;
use aipress_drivers::ContentPiece;
use aipress_drivers::DatabaseFacts;
use aipress_kit::faults;
use crc32fast::Hasher;
use time::format_description::well_known::Rfc3339;

use super::Job;
use crate::plane::Plane;
use crate::tenants::Tenant;

/// Threads that compress: the machine's other work goes on.
const THREADS: usize = 2;
/// Chunks of SQL and pieces of files that wait.
const WAITING: usize = 8;
/// Things that are noted; there may be more.
const NOTES_MAX: usize = 50;

/// A whole archive.
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) crc32: String,
    pub(super) notes: Vec<String>,
}

/// Writes the archive of a tenant.
pub(super) async fn run(
    plane: &Arc<Plane>,
    job: &Arc<Job>,
    begin: ExportBegin,
    tenant: Tenant,
) -> Result<Written, String> {
    let (uid, drivers) = (begin.tenant, &plane.drivers);
    let text = |error: aipress_drivers::DriverError| error.to_string();
    let (facts, content) =
        tokio::try_join!(drivers.database.facts(uid), drivers.files.measure_content(uid))
            .map_err(text)?;
    let needed = facts.bytes + content.bytes;
    plane.exports.check_space(needed).map_err(|error| error.to_string())?;
    job.status.send_modify(|status| status.total = needed);
    faults::point("shard.export.before");
    let manifest = manifest(plane, &begin, &tenant, &facts, &content)?;
    let now = u64::try_from(plane.clock.now().unix_timestamp()).unwrap_or(0);
    let (chunks, database) = tokio::sync::mpsc::channel(WAITING / 4);
    let (pieces, files) = mpsc::sync_channel(WAITING);
    let writing = {
        let job = Arc::clone(job);
        let notes = facts.left.iter().map(|what| format!("{what} is left out")).collect();
        tokio::task::spawn_blocking(move || {
            let spool = Spool::open(&job).map_err(|error| error.to_string())?;
            let task = Task { job, database, files, notes };
            task.write(spool, &manifest, &begin.document, now).map_err(|error| error.to_string())
        })
    };
    let end = pieces.clone();
    let sending = async {
        drivers.database.dump(uid, chunks).await?;
        drivers.files.read_content(uid, pieces).await?;
        // Waits for room; a writer that gave up says why by itself.
        let _ = tokio::task::spawn_blocking(move || end.send(ContentPiece::Whole)).await;
        Ok(())
    };
    let (sent, written) = tokio::join!(sending, writing);
    faults::point("shard.export.after");
    // Whoever sends is the cause: the writer then only finds too little.
    sent.map_err(text)?;
    written.map_err(|error| error.to_string())?
}

fn manifest(
    plane: &Plane,
    begin: &ExportBegin,
    tenant: &Tenant,
    facts: &DatabaseFacts,
    content: &ContentFacts,
) -> Result<Manifest, String> {
    let entry = &tenant.entry;
    Ok(Manifest {
        format_version: FORMAT_VERSION,
        platform_version: begin.platform_version.clone(),
        tenant: ManifestTenant {
            name: entry.intent.name.to_string(),
            uid: entry.intent.uid.to_string(),
        },
        wordpress: ManifestWordPress {
            version: entry.core_version.clone(),
            home: entry.intent.home.clone(),
            siteurl: entry.intent.home.clone(),
        },
        database: ManifestDatabase {
            table_prefix: "wp_".to_owned(),
            charset: "utf8mb4".to_owned(),
            collation: "utf8mb4_unicode_520_ci".to_owned(),
            tables: facts.tables,
            bytes: facts.bytes,
        },
        files: ManifestFiles { count: content.files, bytes: content.bytes },
        created_at: plane.clock.now().format(&Rfc3339).map_err(|error| error.to_string())?,
        foreign: false,
    })
}

/// The file that is written and counted on its way. Its checksum is for the way to whoever
/// downloads it, and costs next to nothing: what is in it has a SHA-256 of each file.
struct Spool {
    file: fs::File,
    checksum: Hasher,
    bytes: u64,
    job: Arc<Job>,
}

impl Spool {
    fn open(job: &Arc<Job>) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&job.part)?;
        Ok(Self { file, checksum: Hasher::new(), bytes: 0, job: Arc::clone(job) })
    }
}

impl Write for Spool {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.file.write(data)?;
        self.checksum.update(data.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        let bytes = self.bytes;
        // Readers wait for this: what is counted is there.
        self.job.status.send_modify(|status| status.bytes = bytes);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct Task {
    job: Arc<Job>,
    database: tokio::sync::mpsc::Receiver<Vec<u8>>,
    files: mpsc::Receiver<ContentPiece>,
    notes: Vec<String>,
}

impl Task {
    fn write(
        mut self,
        spool: Spool,
        manifest: &Manifest,
        document: &str,
        now: u64,
    ) -> Result<Written, ArchiveError> {
        let mut archive = ArchiveWriter::new(spool, THREADS, manifest, now)?;
        archive.document(document.as_bytes())?;
        while let Some(chunk) = self.database.blocking_recv() {
            archive.database(&chunk)?;
            self.count(chunk.len())?;
        }
        let mut current = Vec::new();
        let mut whole = false;
        while let Ok(piece) = self.files.recv() {
            match piece {
                ContentPiece::Folder { path, mtime } => archive.folder(&path, mtime)?,
                ContentPiece::File { path, size, mtime } => {
                    archive.file(&path, size, mtime)?;
                    current = path;
                }
                ContentPiece::Data(data) => {
                    archive.data(&data)?;
                    self.count(data.len())?;
                }
                ContentPiece::End => {
                    let fit = archive.end_file()?;
                    if fit != Fit::Exact {
                        let path = inspect::shown(&current);
                        self.note(format!("wp-content/{path} changed while it was read"));
                    }
                }
                ContentPiece::Whole => whole = true,
                ContentPiece::Skipped(path) => {
                    let path = inspect::shown(&path);
                    self.note(format!("wp-content/{path} is no file or folder of the site"));
                }
            }
        }
        if !whole {
            return Err(ArchiveError::Incomplete);
        }
        // Not synced, which takes as long as writing it: what a power cut leaves of it is found by
        // its size, and by the checksum of each frame.
        let spool = archive.finish()?;
        let crc32 = format!("{:08x}", spool.checksum.finalize());
        Ok(Written { bytes: spool.bytes, crc32, notes: self.notes })
    }

    fn note(&mut self, what: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(what);
        }
    }

    /// Counts what was read; ends it when it was removed meanwhile.
    fn count(&self, bytes: usize) -> Result<(), ArchiveError> {
        self.job.status.send_modify(|status| status.done += bytes as u64);
        if self.job.status.borrow().phase != ExportPhase::Running {
            return Err(ArchiveError::Visitor("the export was removed".to_owned()));
        }
        Ok(())
    }
}
