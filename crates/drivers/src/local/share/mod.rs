//! Shares of the machine, really: control groups where the kernel has them ([`groups`]), limits of
//! single processes everywhere.
//!
//! php-fpm starts a slot's workers beside its master. They are found there, by their Unix user, a
//! moment later; whatever they start afterwards is in their slot's group by itself.
//!
//! A slot that is full gets a mark, which `prepend.php` sees before a site's first line of PHP, and
//! its processes get a file size limit of nothing (`RLIMIT_FSIZE`): no byte is written to a file
//! any more, and files can be read and deleted. Masters ignore `SIGXFSZ`, so that a write fails
//! instead of ending the worker.

mod groups;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use rustix::process::Pid;
use rustix::process::Resource;
use rustix::process::Rlimit;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use self::groups::Groups;
use self::groups::MOUNTED;
use crate::error::DriverError;
use crate::layout::ShardPaths;
use crate::layout::Slot;
use crate::local::beneath;
use crate::local::fpm::processes;
use crate::share::Share;
use crate::share::ShareControls;
use crate::share::ShareMet;
use crate::share::SlotShare;
use crate::share::Told;
use crate::share::ToldLimit;
use crate::uids::ShardIds;
use crate::uids::UnixIds;

/// Every so many calls of `place` it is looked whether a master is new.
const MASTERS_EACH: u32 = 10;
/// Title of a php-fpm master.
const MASTER: &str = "php-fpm: master process";

/// What a slot's file of limits has at most, in bytes: a sentence for each of them.
const SAID_MAX: usize = 64 * 1024;

/// A slot's file of limits.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SaidOfLimits {
    /// Sentences, for the site (`php/mu-plugins/aipress/limits.php`).
    limits: Vec<String>,
    /// The names of the same limits, for the next control plane.
    names: Vec<String>,
}

/// The shares of a shard's slots on this machine.
#[derive(Debug, Clone)]
pub struct LocalShare {
    paths: ShardPaths,
    ids: ShardIds,
    /// Made with the first share, and not where none is asked for.
    groups: Arc<OnceLock<Groups>>,
    calls: Arc<AtomicU32>,
}

/// Name of a shard's groups. It carries which data folder it is of.
fn group_name(paths: &ShardPaths) -> String {
    let folder = Sha256::digest(paths.dir().as_os_str().as_encoded_bytes());
    format!("aipress-{}", hex::encode(&folder[..4]))
}

/// Removes the groups of a shard that does not run any more.
///
/// # Errors
/// `Failed` when something is left in one.
pub fn forget(paths: &ShardPaths) -> Result<(), DriverError> {
    let name = group_name(paths);
    groups::remove(Path::new(MOUNTED), &name)
        .map_err(|error| DriverError::failed(format!("remove control groups {name}"), error))
}

/// What a shard's slots are held to, as its groups on this machine say.
pub fn controls(paths: &ShardPaths) -> ShareControls {
    groups::look(Path::new(MOUNTED), &group_name(paths))
}

/// Version of this machine's control groups, where they have a controller that sites are held by.
pub fn version() -> Option<u8> {
    groups::version(Path::new(MOUNTED))
}

impl LocalShare {
    /// The shares of a shard.
    pub fn open(paths: &ShardPaths, ids: ShardIds) -> Self {
        Self { paths: paths.clone(), ids, groups: Arc::default(), calls: Arc::default() }
    }

    /// Makes the shard's groups where this machine has control groups.
    fn make_groups(&self) -> &Groups {
        self.groups.get_or_init(|| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
            // Without users of their own nobody knows whose a process is.
            let mounted = if self.ids.is_isolated() { MOUNTED } else { "/nonexistent" };
            Groups::open(Path::new(mounted), &group_name(&self.paths), cores)
        })
    }

    fn controls_now(&self) -> ShareControls {
        self.groups.get().map(Groups::controls).unwrap_or_default()
    }

    fn slot_of(&self, uid: u32) -> Option<Slot> {
        let uids = self.ids.slot_uids()?;
        uids.contains(&uid).then(|| Slot::new(uid - uids.start() + 1)).flatten()
    }

    fn place_now(&self) -> std::io::Result<()> {
        let Some(groups) = self.groups.get() else { return Ok(()) };
        let starting = groups.starting()?;
        for pid in &starting {
            if let Some(slot) = processes::read(*pid).and_then(|found| self.slot_of(found.uid)) {
                groups.put(slot, *pid)?;
            }
        }
        if !self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(MASTERS_EACH) {
            return Ok(());
        }
        let masters = std::fs::read_dir(self.paths.fpm())?.flatten().filter_map(|entry| {
            let path = entry.path();
            path.extension().filter(|extension| *extension == "pid")?;
            std::fs::read_to_string(path).ok()?.trim().parse::<u32>().ok()
        });
        let mut is_news = false;
        for pid in masters.filter(|pid| !starting.contains(pid)) {
            if processes::read(pid).is_some_and(|process| process.title.starts_with(MASTER)) {
                groups.put_master(pid)?;
                is_news = true;
            }
        }
        if is_news {
            // What a new master had started before, and what an older one left.
            for process in processes::list()? {
                if let Some(slot) = self.slot_of(process.uid) {
                    groups.put(slot, process.pid)?;
                }
            }
        }
        Ok(())
    }

    fn busy_now(&self) -> std::io::Result<BTreeSet<Slot>> {
        let groups = self.groups.get().filter(|_| self.controls_now() != ShareControls::default());
        let Some(groups) = groups else {
            let all = processes::list()?;
            return Ok(all.iter().filter_map(|process| self.slot_of(process.uid)).collect());
        };
        Ok(Slot::all().filter(|slot| groups.is_busy(*slot) == Some(true)).collect())
    }

    /// A file of the slot's folder that its user reads.
    fn write(&self, slot: Slot, name: &str, text: Option<&[u8]>) -> Result<(), DriverError> {
        let path = self.paths.slot(slot).join(name);
        if let Some(text) = text {
            let ids = UnixIds { uid: self.ids.root().uid, gid: self.ids.slot(slot).gid };
            return beneath::write_if_differs(&path, text, ids, 0o440).map(drop);
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(DriverError::io("remove a slot's mark", &path, error))
            }
            _ => Ok(()),
        }
    }

    fn limit_files(&self, slot: Slot, most: Option<u64>) -> std::io::Result<()> {
        if !self.ids.is_isolated() {
            // Everything is the one user's: only PHP itself looks at the mark.
            return Ok(());
        }
        let user = self.ids.slot(slot).uid;
        for process in processes::list()?.iter().filter(|process| process.uid == user) {
            let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
            let limit = Rlimit { current: most, maximum: most };
            if let Some(pid) = pid {
                // One that has ended writes nothing.
                let _ = rustix::process::prlimit(Some(pid), Resource::Fsize, limit);
            }
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, DriverError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| DriverError::failed(what, error))?
        .map_err(|error| DriverError::failed(what, error))
}

#[async_trait]
impl Share for LocalShare {
    fn controls(&self) -> ShareControls {
        self.controls_now()
    }

    async fn ensure_share(&self, slot: Slot, share: &SlotShare) -> Result<(), DriverError> {
        let (own, share) = (self.clone(), *share);
        blocking("give a slot its share", move || own.make_groups().set(slot, &share)).await
    }

    async fn place(&self) -> Result<(), DriverError> {
        let own = self.clone();
        blocking("put workers into their groups", move || own.place_now()).await
    }

    async fn busy(&self) -> Result<BTreeSet<Slot>, DriverError> {
        let own = self.clone();
        blocking("look where something runs", move || own.busy_now()).await
    }

    async fn share_met(&self, slot: Slot) -> Result<ShareMet, DriverError> {
        let own = self.clone();
        blocking("look which limits a slot met", move || {
            Ok(own.groups.get().map(|groups| groups.met(slot)).unwrap_or_default())
        })
        .await
    }

    async fn set_full(&self, slot: Slot, is_full: bool) -> Result<(), DriverError> {
        let (own, mark) = (self.clone(), is_full.then_some(&b"full\n"[..]));
        self.write(slot, ShardPaths::SLOT_FULL, mark)?;
        let most = is_full.then_some(0);
        blocking("limit what a slot writes", move || own.limit_files(slot, most)).await
    }

    async fn free_bytes(&self) -> Result<u64, DriverError> {
        let sites = self.paths.sites();
        blocking("look at the disk", move || {
            let stat = rustix::fs::statvfs(&sites)?;
            Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
        })
        .await
    }

    async fn total_bytes(&self) -> Result<u64, DriverError> {
        let sites = self.paths.sites();
        blocking("look at the disk", move || {
            let stat = rustix::fs::statvfs(&sites)?;
            Ok(stat.f_blocks.saturating_mul(stat.f_frsize))
        })
        .await
    }

    async fn tell_limits(&self, slot: Slot, limits: &[ToldLimit]) -> Result<(), DriverError> {
        let said = SaidOfLimits {
            limits: limits.iter().map(|told| told.words.clone()).collect(),
            names: limits.iter().map(|told| told.limit.clone()).collect(),
        };
        let text = serde_json::to_vec(&said)
            .map_err(|error| DriverError::failed("tell a site its limits", error))?;
        let text = (!limits.is_empty()).then_some(text);
        self.write(slot, ShardPaths::SLOT_LIMITS, text.as_deref())
    }

    async fn told(&self, slot: Slot) -> Result<Told, DriverError> {
        let path = self.paths.slot(slot);
        let fail = |error| DriverError::io("read what a site was told", &path, error);
        let folder = beneath::open_dir(&path).map_err(fail)?;
        let is_full = beneath::stat_at(&folder, ShardPaths::SLOT_FULL).map_err(fail)?.is_some();
        let text = match beneath::read_at(&folder, ShardPaths::SLOT_LIMITS, SAID_MAX) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(fail)?,
        };
        // One that is damaged is written anew by whoever finds what the site meets.
        let said: SaidOfLimits = serde_json::from_slice(&text).unwrap_or_default();
        let pairs = said.names.into_iter().zip(said.limits);
        Ok(Told {
            is_full,
            limits: pairs.map(|(limit, words)| ToldLimit { limit, words }).collect(),
        })
    }
}

/// Files that a command writes `0` to, to be held to its slot's share.
pub(in crate::local) fn doors(paths: &ShardPaths, slot: Slot) -> Vec<std::path::PathBuf> {
    groups::doors(Path::new(MOUNTED), &group_name(paths), slot)
}
