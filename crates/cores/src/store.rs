//! The store: which versions are there, and getting one that is not.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::checksums::KnownChecksums;
use crate::debian::MachineApt;
use crate::error::CoreError;
use crate::inspect;
use crate::lock;
use crate::manifest::{Manifest, Origin};
use crate::release::ReleaseSite;
use crate::shelf::Shelf;
use crate::tree::{self, Rules};
use crate::version::{ParseVersionError, Version};

/// Told what is being done, in short lines without full stop.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// One WordPress core on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    /// Its folder, the document root of the sites that run it.
    pub dir: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

/// Which version is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The newest stable one that can be had and that the PHP at hand runs.
    Default,
    /// This one, or the newest of its branch (`6.8` takes `6.8.3`).
    Version(Version),
}

impl FromStr for Wanted {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" | "default" => Ok(Wanted::Default),
            version => version.parse().map(Wanted::Version),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Default => f.write_str("(newest)"),
            Wanted::Version(version) => version.fmt(f),
        }
    }
}

/// Where cores come from, in the order of trying.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The official release archives.
    pub release: Option<ReleaseSite>,
    /// The package archive that the machine itself installs from.
    pub packages: Option<MachineApt>,
}

impl Default for Sources {
    fn default() -> Self {
        Self { release: Some(ReleaseSite::default()), packages: Some(MachineApt::default()) }
    }
}

/// A core that a source has unpacked into a staging folder.
pub(crate) struct Unpacked {
    /// The tree, links and all.
    pub(crate) root: PathBuf,
    /// Where in it WordPress is.
    pub(crate) top: PathBuf,
    pub(crate) rules: Rules<'static>,
    pub(crate) origin: Origin,
}

/// WordPress cores in `dir`, fetched through a cache that data folders share.
#[derive(Debug, Clone)]
pub struct CoreStore {
    shelf: Shelf,
    cache_dir: PathBuf,
    cache: Shelf,
    sources: Sources,
}

/// The cache's place: `/var/cache/aipress` for root, else in the home folder
/// (in the working folder for somebody who has none).
pub fn cache_dir(is_root: bool, home: Option<&Path>) -> PathBuf {
    match home {
        _ if is_root => PathBuf::from("/var/cache/aipress"),
        Some(home) => home.join(".cache/aipress"),
        None => PathBuf::from(".cache/aipress"),
    }
}

impl CoreStore {
    /// A store of cores in `dir` (`…/cores/wordpress`) with its cache in
    /// `cache_dir` (see [`cache_dir`]). Nothing is touched yet.
    pub fn new(dir: impl Into<PathBuf>, cache_dir: impl Into<PathBuf>) -> Self {
        let cache_dir = cache_dir.into();
        Self {
            shelf: Shelf::at(dir.into()),
            cache: Shelf::at(cache_dir.join("cores")),
            cache_dir,
            sources: Sources::default(),
        }
    }

    /// Takes cores from other sources.
    #[must_use]
    pub fn with_sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// The cores that are there, oldest version first.
    ///
    /// # Errors
    /// When the folder cannot be read; one that does not exist is empty.
    pub fn list(&self) -> Result<Vec<Core>, CoreError> {
        self.shelf.list()
    }

    /// The newest core that is there and runs on `php`.
    ///
    /// # Errors
    /// As [`CoreStore::list`].
    pub fn newest_for_php(&self, php: &Version) -> Result<Option<Core>, CoreError> {
        let runs = |core: &Core| core.manifest.requires_php <= *php;
        Ok(self.list()?.into_iter().rev().find(runs))
    }

    /// The core that answers to `wanted` and runs on `php`: the one that is
    /// there, or else fetched into the store (from the cache without network,
    /// or from the first source that has it). May be cancelled or killed at any
    /// point; asking again goes on.
    ///
    /// # Errors
    /// [`CoreError::Unavailable`] when no source has it,
    /// [`CoreError::ChecksumRefused`] when one offers something changed,
    /// [`CoreError::PhpTooOld`], and whatever disk and programs say.
    pub async fn ensure(
        &self,
        wanted: &Wanted,
        php: &Version,
        progress: Progress<'_>,
    ) -> Result<Core, CoreError> {
        if let Some(core) = self.shelf.find(wanted, php)? {
            return Ok(core);
        }
        self.shelf.create()?;
        let _lock = lock::take(&self.shelf.lock_path(), progress).await?;
        if let Some(core) = self.shelf.find(wanted, php)? {
            return Ok(core);
        }
        self.shelf.sweep()?;
        self.cache.create()?;
        let _cache_lock = lock::take(&self.cache.lock_path(), progress).await?;
        self.cache.sweep()?;

        let mut adopted = None;
        if let Some(cached) = self.cache.find(wanted, php)? {
            adopted = self.adopt(&cached).await?;
            match adopted {
                Some(_) => {
                    progress(&format!("WordPress {} taken from the cache", cached.manifest.version))
                }
                None => progress(&format!(
                    "WordPress {} in the cache is damaged, fetching it again",
                    cached.manifest.version
                )),
            }
        }
        let core = match adopted {
            Some(core) => core,
            None => match self.fetch_and_adopt(wanted, php, progress).await {
                Err(CoreError::Unavailable { reasons, .. }) if *wanted == Wanted::Default => {
                    return self.newest_at_hand(php, reasons, progress).await;
                }
                fetched => fetched?,
            },
        };
        if *wanted == Wanted::Default {
            self.cache.set_default(&core.manifest.version)?;
            self.shelf.set_default(&core.manifest.version)?;
        }
        Ok(core)
    }

    /// What to run when no source can be reached and no default is noted: the
    /// newest that is there or in the cache. It is not noted as the default.
    async fn newest_at_hand(
        &self,
        php: &Version,
        reasons: String,
        progress: Progress<'_>,
    ) -> Result<Core, CoreError> {
        let here = self.newest_for_php(php)?;
        let runs = |core: &Core| core.manifest.requires_php <= *php;
        let cached = self.cache.list()?.into_iter().rev().find(runs);
        let newer = cached.filter(|cached| {
            here.as_ref().is_none_or(|here| here.manifest.version < cached.manifest.version)
        });
        let adopted = match newer {
            Some(cached) => self.adopt(&cached).await?,
            None => None,
        };
        let core = adopted.or(here).ok_or_else(|| CoreError::Unavailable {
            wanted: Wanted::Default.to_string(),
            reasons,
        })?;
        progress(&format!("no source can be reached, using WordPress {}", core.manifest.version));
        Ok(core)
    }

    async fn fetch_and_adopt(
        &self,
        wanted: &Wanted,
        php: &Version,
        progress: Progress<'_>,
    ) -> Result<Core, CoreError> {
        let fetched = self.fetch(wanted, php, progress).await?;
        let version = fetched.manifest.version.clone();
        let core = self.adopt(&fetched).await?.ok_or_else(|| CoreError::NotWhole {
            dir: fetched.dir.clone(),
            missing: "its files changed while they were copied".to_owned(),
        })?;
        progress(&format!("WordPress {version} is ready"));
        Ok(core)
    }

    async fn adopt(&self, core: &Core) -> Result<Option<Core>, CoreError> {
        let (shelf, core) = (self.shelf.clone(), core.clone());
        blocking(move || shelf.adopt(&core)).await
    }

    /// Fetches into the cache, from the first source that has it.
    async fn fetch(
        &self,
        wanted: &Wanted,
        php: &Version,
        progress: Progress<'_>,
    ) -> Result<Core, CoreError> {
        let mut reasons = Vec::new();
        if let Some(site) = &self.sources.release {
            match self.fetch_release(site, wanted, php, progress).await {
                Ok(core) => return Ok(core),
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => {
                    progress(
                        "the official release cannot be had, trying the machine's package archive",
                    );
                    reasons.push(format!("official release: {}", error.in_one_line()));
                }
            }
        }
        if let Some(apt) = &self.sources.packages {
            match self.fetch_packages(apt, wanted, php, progress).await {
                Ok(core) => return Ok(core),
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => reasons.push(format!("packages: {}", error.in_one_line())),
            }
        }
        Err(CoreError::Unavailable { wanted: wanted.to_string(), reasons: reasons.join("; ") })
    }

    async fn fetch_release(
        &self,
        site: &ReleaseSite,
        wanted: &Wanted,
        php: &Version,
        progress: Progress<'_>,
    ) -> Result<Core, CoreError> {
        let version = site.resolve(wanted, php, progress).await?;
        let dirs = [self.shelf.dir().to_owned(), self.cache_dir.clone()];
        let known = KnownChecksums::in_dirs(dirs);
        let stage = Arc::new(self.cache.stage()?);
        let unpacked = site.unpack(&version, &known, stage.path(), progress).await?;
        self.finish(stage, unpacked, &version, php).await
    }

    async fn fetch_packages(
        &self,
        apt: &MachineApt,
        wanted: &Wanted,
        php: &Version,
        progress: Progress<'_>,
    ) -> Result<Core, CoreError> {
        let offers = apt.offers(wanted, &self.cache_dir.join("apt"), progress).await?;
        let mut too_new = None;
        for offer in &offers {
            let stage = Arc::new(self.cache.stage()?);
            let unpacked = offer.unpack(stage.path(), progress).await?;
            match self.finish(stage, unpacked, &offer.version, php).await {
                Err(error @ CoreError::PhpTooOld { .. }) => {
                    progress(&error.to_string());
                    too_new = Some(error);
                }
                ended => return ended,
            }
        }
        Err(too_new.unwrap_or_else(|| CoreError::Unavailable {
            wanted: wanted.to_string(),
            reasons: "no suite has it".to_owned(),
        }))
    }

    /// Makes an unpacked core plain, checks it and puts it into the cache.
    async fn finish(
        &self,
        stage: Arc<tempfile::TempDir>,
        unpacked: Unpacked,
        version: &Version,
        php: &Version,
    ) -> Result<Core, CoreError> {
        let (cache, version, php) = (self.cache.clone(), version.clone(), php.clone());
        blocking(move || {
            let core = stage.path().join("core");
            let summary = tree::flatten(&unpacked.root, &unpacked.top, &core, &unpacked.rules)?;
            let facts = inspect::inspect(&core)?;
            if facts.version != version {
                let missing = format!("it is {}, not {version}", facts.version);
                return Err(CoreError::NotWhole { dir: core, missing });
            }
            if facts.requires_php > php {
                let requires = facts.requires_php;
                return Err(CoreError::PhpTooOld { version, requires, php });
            }
            let manifest = Manifest {
                version,
                requires_php: facts.requires_php,
                origin: unpacked.origin,
                themes: facts.themes,
                files: summary.files,
                bytes: summary.bytes,
                tree_sha256: summary.sha256,
                fetched_at_unix_s: now_unix_s(),
            };
            cache.publish(&core, &manifest)
        })
        .await
    }
}

/// Whether an error must be shown rather than the next source be tried: what
/// was refused may not be had by a detour, and what is wrong here stays wrong.
fn is_final(error: &CoreError) -> bool {
    matches!(
        error,
        CoreError::ChecksumRefused { .. } | CoreError::Io { .. } | CoreError::PhpTooOld { .. }
    )
}

/// Runs disk work of seconds off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CoreError> + Send + 'static,
) -> Result<T, CoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(CoreError::malformed("the work on a core", error)),
    }
}

fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
