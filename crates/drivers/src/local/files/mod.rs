//! The files driver: folders of slots and sites, the trash, one-time logins.
//!
//! `slots/`, `sites/` and `trash/` themselves are root's, so that a tenant can move nothing in
//! them. Whole folders come and go by renaming; what is half-made or half-removed never stands at
//! its place. All calls are blocking underneath and run beside the async threads, one at a time.

mod export;
mod import;
mod inventory;
mod left;
mod log;
mod login;
mod package;
mod project;
mod room;
mod site;
mod slot;
mod trash;
pub(in crate::local) mod tree;
mod usage;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use aipress_types::TenantUid;
use async_trait::async_trait;
use tokio::sync::Mutex;

use self::trash::Condemned;
use crate::Ensured;
use crate::content::Content;
use crate::content::ContentFacts;
use crate::content::ContentPiece;
use crate::error::DriverError;
use crate::files::DiskHeld;
use crate::files::DiskUsage;
use crate::files::FileObject;
use crate::files::Files;
use crate::files::LoginToken;
use crate::files::Restored;
use crate::files::SiteConfig;
use crate::layout::ShardPaths;
use crate::layout::Slot;
use crate::local::ensure_dir;
use crate::local::ensure_shard_dirs;
use crate::local::quota;
use crate::packages::PackageMark;
use crate::packages::PackagePlace;
use crate::packages::Packages;
use crate::uids::ShardIds;
use crate::uids::UnixIds;

/// A large site has 100,000 files; removing or giving away that many takes seconds.
const CALL_LIMIT: Duration = Duration::from_secs(120);

/// A file that a fresh site begins with, below its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFile {
    /// Path below the site's folder; each part is plain.
    pub path: PathBuf,
    /// Its contents.
    pub contents: Vec<u8>,
}

/// The shard's folders on this machine.
#[derive(Debug, Clone)]
pub struct LocalFiles {
    disk: Arc<Disk>,
    /// One change at a time: callers may overlap after a time-out.
    turn: Arc<Mutex<()>>,
    /// One removal for good at a time, beside the changes: a site of many files must not hold up
    /// the others of its shard.
    removal: Arc<Mutex<()>>,
    /// One look at a tree at a time, beside both.
    looking: Arc<Mutex<()>>,
    /// Looks that are over at once, and wait for none of those above.
    listening: Arc<Mutex<()>>,
    /// One count at a time, beside looks that somebody waits for.
    counting: Arc<Mutex<()>>,
    /// One archive is unpacked at a time, likewise.
    staging: Arc<Mutex<()>>,
}

/// What the blocking work needs to know.
#[derive(Debug)]
struct Disk {
    paths: ShardPaths,
    ids: ShardIds,
    seed: Vec<SeedFile>,
    /// Name of the file system, when it holds sites to their disks itself.
    quotas: Option<&'static str>,
}

impl LocalFiles {
    /// The folders of a shard; makes those that all its sites share.
    ///
    /// # Errors
    /// `Io` from the machine.
    pub fn open(
        paths: &ShardPaths,
        ids: ShardIds,
        seed: Vec<SeedFile>,
    ) -> Result<Self, DriverError> {
        ensure_shard_dirs(paths, &ids)?;
        let root = ids.root();
        ensure_dir(&paths.slots(), root, 0o711)?;
        ensure_dir(&paths.sites(), root, 0o711)?;
        ensure_dir(&paths.trash(), root, 0o700)?;
        // The gateway writes below and looks for what is too old; a site's PHP sees nothing of it.
        let gateway = UnixIds { uid: root.uid, gid: ids.gateway().gid };
        ensure_dir(&paths.site_logs(), gateway, 0o750)?;
        let quotas = quota::look(paths.dir());
        match &quotas {
            Ok(file_system) => {
                tracing::info!(file_system, "project quotas hold sites to their disks")
            }
            Err(no) => tracing::info!(why = no.why, "no project quotas: sites' files are counted"),
        }
        let disk = Arc::new(Disk { paths: paths.clone(), ids, seed, quotas: quotas.ok() });
        Ok(Self {
            disk,
            turn: Arc::default(),
            removal: Arc::default(),
            looking: Arc::default(),
            listening: Arc::default(),
            counting: Arc::default(),
            staging: Arc::default(),
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce(&Disk) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, DriverError> {
        self.in_turn(&self.turn, what, work).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        turn: &Arc<Mutex<()>>,
        what: &str,
        work: impl FnOnce(&Disk) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, DriverError> {
        let disk = Arc::clone(&self.disk);
        let after = CALL_LIMIT;
        let timeout = || DriverError::Timeout { what: what.to_owned(), after };
        // The work keeps its turn until it really ends, also when nobody waits for it any more.
        let turn = tokio::time::timeout(after, Arc::clone(turn).lock_owned())
            .await
            .map_err(|_| timeout())?;
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&disk)
        });
        tokio::time::timeout(after, task)
            .await
            .map_err(|_| timeout())?
            .map_err(|error| DriverError::failed(what, error))?
    }
}

/// Runs what takes as long as a site is large: beside the turns of short changes, and unbounded in
/// time, since its caller watches its progress.
async fn long<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, DriverError> + Send + 'static,
) -> Result<T, DriverError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| DriverError::failed(what, error))?
}

/// Names a path in an error.
fn at<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> DriverError + 'a {
    move |source| DriverError::io(what, path, source)
}

#[async_trait]
impl Files for LocalFiles {
    async fn ensure_slot(&self, slot: Slot) -> Result<Ensured, DriverError> {
        self.blocking("ensure slot", move |disk| slot::ensure(disk, slot)).await
    }

    async fn ensure_site(&self, uid: TenantUid, slot: Slot) -> Result<Ensured, DriverError> {
        self.blocking("ensure site's folder", move |disk| site::ensure(disk, uid, slot)).await
    }

    async fn ensure_site_from(
        &self,
        uid: TenantUid,
        slot: Slot,
        content: &Content,
    ) -> Result<Ensured, DriverError> {
        let missing = move |disk: &Disk| site::is_missing(disk, uid, slot);
        if self.blocking("ensure site", missing).await? {
            let (disk, content) = (Arc::clone(&self.disk), content.clone());
            long("lay out the files", move || import::fill(&disk, uid, slot, &content)).await?;
            self.blocking("ensure site", move |disk| import::adopt(disk, uid)).await?;
            self.ensure_site(uid, slot).await?;
            return Ok(Ensured::Created);
        }
        self.ensure_site(uid, slot).await
    }

    async fn measure_content(&self, uid: TenantUid) -> Result<ContentFacts, DriverError> {
        let disk = Arc::clone(&self.disk);
        long("measure site's files", move || export::measure(&disk, uid)).await
    }

    async fn read_content(
        &self,
        uid: TenantUid,
        pieces: SyncSender<ContentPiece>,
    ) -> Result<(), DriverError> {
        let disk = Arc::clone(&self.disk);
        long("read site's files", move || export::send(&disk, uid, &pieces)).await
    }

    async fn write_site_json(
        &self,
        slot: Slot,
        config: &SiteConfig,
    ) -> Result<Ensured, DriverError> {
        let config = config.clone();
        self.blocking("write site.json", move |disk| slot::write_config(disk, slot, &config)).await
    }

    async fn clear_slot(&self, slot: Slot) -> Result<Ensured, DriverError> {
        self.blocking("clear slot", move |disk| slot::clear(disk, slot)).await
    }

    async fn trash_site(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.blocking("move site to the trash", move |disk| trash::put(disk, uid)).await
    }

    async fn restore_site(&self, uid: TenantUid, slot: Slot) -> Result<Restored, DriverError> {
        self.blocking("restore site", move |disk| trash::restore(disk, uid, slot)).await
    }

    async fn erase_site(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        let mut found = Ensured::Kept;
        loop {
            match self.blocking("erase site", move |disk| trash::condemn(disk, uid)).await? {
                Condemned::Nothing => break,
                Condemned::Unfinished => {
                    found = Ensured::Repaired;
                    break;
                }
                Condemned::Waits => {}
            }
            found = Ensured::Repaired;
            let remove = move |disk: &Disk| trash::remove_condemned(disk, uid);
            self.in_turn(&self.removal, "erase site", remove).await?;
        }
        let beside = move |disk: &Disk| package::clear_beside(disk, uid);
        let beside = self.in_turn(&self.removal, "erase site", beside).await?;
        Ok(if beside == Ensured::Kept { found } else { beside })
    }

    async fn write_login_token(
        &self,
        uid: TenantUid,
        slot: Slot,
        token: &LoginToken,
        now_unix_s: i64,
    ) -> Result<(), DriverError> {
        let token = token.clone();
        self.blocking("write login", move |disk| login::write(disk, uid, slot, &token, now_unix_s))
            .await
    }

    async fn usage(&self, uid: TenantUid) -> Result<DiskUsage, DriverError> {
        self.in_turn(&self.looking, "look how much a site takes", move |disk| usage::of(disk, uid))
            .await
    }

    async fn hold(
        &self,
        uid: TenantUid,
        slot: Slot,
        bytes_max: u64,
    ) -> Result<Option<DiskHeld>, DriverError> {
        if self.disk.quotas.is_none() {
            return Ok(None);
        }
        let what = "hold a site to its disk";
        let work = move |disk: &Disk| project::hold(disk, uid, slot, bytes_max);
        self.in_turn(&self.counting, what, work).await
    }

    async fn taken(&self, uid: TenantUid, slot: Slot) -> Result<u64, DriverError> {
        let what = "count what a site takes";
        self.in_turn(&self.counting, what, move |disk| usage::taken(disk, uid, slot)).await
    }

    async fn changed_at(&self, uid: TenantUid) -> Result<Option<i64>, DriverError> {
        let what = "look for a site's mark";
        self.in_turn(&self.looking, what, move |disk| Ok(usage::mark(disk, uid))).await
    }

    async fn cron_marks(
        &self,
        sites: &[TenantUid],
    ) -> Result<BTreeMap<TenantUid, i64>, DriverError> {
        let sites = sites.to_vec();
        let look = move |disk: &Disk| Ok(usage::cron_marks(disk, &sites));
        self.in_turn(&self.listening, "look when sites want to be woken", look).await
    }

    async fn inventory(&self) -> Result<Vec<FileObject>, DriverError> {
        self.blocking("list folders", inventory::list).await
    }
}

#[async_trait]
impl Packages for LocalFiles {
    async fn stage(
        &self,
        place: &PackagePlace,
        archive: &Path,
    ) -> Result<PackageMark, DriverError> {
        let (place, archive) = (place.clone(), archive.to_owned());
        let work = move |disk: &Disk| package::stage(disk, &place, &archive);
        self.in_turn(&self.staging, "unpack archive", work).await
    }

    async fn installed(&self, place: &PackagePlace) -> Result<Option<PackageMark>, DriverError> {
        let place = place.clone();
        self.blocking("look at plugin or theme", move |disk| package::installed(disk, &place)).await
    }

    async fn swap(&self, place: &PackagePlace) -> Result<(), DriverError> {
        let place = place.clone();
        self.blocking("exchange plugin or theme", move |disk| package::swap(disk, &place)).await
    }

    async fn clear_beside(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        let work = move |disk: &Disk| package::clear_beside(disk, uid);
        self.in_turn(&self.removal, "remove what is beside a site", work).await
    }
}

#[cfg(test)]
mod tests;
