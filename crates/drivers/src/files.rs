//! The shard's folders, as the reconciler sees them. What returns is on disk.
//!
//! A tenant owns what is in its site's folder and may put links and oddities there; nothing here
//! ever follows a link below `sites/`, `slots/*/tmp` or `trash/`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;

use aipress_types::Secret;
use aipress_types::SecuritySpec;
use aipress_types::TenantUid;
use async_trait::async_trait;
use serde::Deserialize;
use serde::Serialize;

use crate::Ensured;
use crate::content::Content;
use crate::content::ContentFacts;
use crate::content::ContentPiece;
use crate::error::DriverError;
use crate::layout::Slot;

/// `site.json` of a slot: identity and credentials of its tenant, read by PHP on each request.
/// The one format that Rust and `php/site.php` share; `version` counts incompatible changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteConfig {
    /// [`SITE_CONFIG_VERSION`].
    pub version: u32,
    /// The tenant. PHP refuses a request that is for another.
    pub uid: TenantUid,
    /// Its name.
    pub name: String,
    /// Generation of the intent that this was made from.
    pub generation: u64,
    /// Address of the site.
    pub home: String,
    /// Hosts that the site answers to.
    pub hosts: Vec<String>,
    /// WordPress's core.
    pub core_dir: PathBuf,
    /// The site's folder.
    pub site_dir: PathBuf,
    /// The slot's temporary folder.
    pub tmp_dir: PathBuf,
    /// Its database.
    pub db: SiteConfigDatabase,
    /// Its cache; without one WordPress goes on without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<SiteConfigRedis>,
    /// WordPress's keys and salts by name.
    pub salts: BTreeMap<String, Secret>,
    /// Variables that PHP sees.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What its document says of hardening.
    #[serde(default, skip_serializing_if = "SecuritySpec::is_default")]
    pub security: SecuritySpec,
}

/// Version of [`SiteConfig`].
pub const SITE_CONFIG_VERSION: u32 = 1;

/// The database in [`SiteConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteConfigDatabase {
    /// The server's socket.
    pub socket: PathBuf,
    /// Database.
    pub name: String,
    /// User.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// The cache in [`SiteConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteConfigRedis {
    /// The server's socket.
    pub socket: PathBuf,
    /// User.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// What its keys begin with.
    pub prefix: String,
}

/// A one-time login: whoever shows the token is signed in once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginToken {
    /// SHA-256 of the token, 64 lower-case hex digits. The token itself never gets here.
    pub sha256_hex: String,
    /// Whom it signs in; `None` is user 1.
    pub login: Option<String>,
    /// When it ends, in seconds since 1970 UTC.
    pub expires_unix_s: i64,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// Files, folders and links that the site's new user owns now.
    pub entries: u64,
    /// Files with a hard link outside of the site, which kept their owner (the first few paths).
    pub refused: Vec<PathBuf>,
}

/// A thing that exists in the shard's folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileObject {
    /// `site.json` of a slot; the uid is `None` when the file is not readable as one.
    SlotConfig(Slot, Option<TenantUid>),
    /// The `site` link of a slot.
    SlotLink(Slot, Option<TenantUid>),
    /// A site's folder.
    Site(TenantUid),
    /// A deleted site's folder.
    Trash(TenantUid),
    /// A site's log, which outlives its deletion and ends with its erasure.
    Log(TenantUid),
    /// A folder whose erasing was interrupted; goes on with the next `erase_site`.
    Erasing(TenantUid),
    /// Anything else.
    Unexplained(PathBuf),
}

/// How much a site's `wp-content` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiskUsage {
    /// Bytes on disk.
    pub bytes: u64,
    /// Files and folders.
    pub entries: u64,
    /// Whether all was counted.
    pub is_complete: bool,
    /// What is in it, the largest ten, with their bytes.
    pub folders: Vec<(String, u64)>,
}

/// What the file system itself holds a site to, and what the site takes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskHeld {
    /// Bytes on disk, of the site and of its slot's temporary folder.
    pub bytes: u64,
    /// Files, folders, links.
    pub files: u64,
    /// How many of them there may be.
    pub files_max: u64,
}

/// The shard's folders.
#[async_trait]
pub trait Files: Send + Sync {
    /// Makes the slot's folder and its temporary folder.
    async fn ensure_slot(&self, slot: Slot) -> Result<Ensured, DriverError>;

    /// Makes the site's folder, owned by the slot, the slot's `site` link to it, and the folder of
    /// the site's log, owned by the gateway.
    ///
    /// # Errors
    /// `Conflict` when the slot's link is another site's, when the site is in the trash, or when
    /// its folder belongs to another slot.
    async fn ensure_site(&self, uid: TenantUid, slot: Slot) -> Result<Ensured, DriverError>;

    /// The same from an archive: a folder that is not there is filled beside and moved into place
    /// whole. Takes as long as the archive is large.
    ///
    /// # Errors
    /// As for [`ensure_site`](Self::ensure_site); `Invalid` for a damaged archive.
    async fn ensure_site_from(
        &self,
        uid: TenantUid,
        slot: Slot,
        content: &Content,
    ) -> Result<Ensured, DriverError>;

    /// Counts what [`read_content`](Self::read_content) would send.
    async fn measure_content(&self, uid: TenantUid) -> Result<ContentFacts, DriverError>;

    /// Sends a site's files by path. Ends early, without an error, when nobody takes them. Takes as
    /// long as they are large.
    async fn read_content(
        &self,
        uid: TenantUid,
        pieces: SyncSender<ContentPiece>,
    ) -> Result<(), DriverError>;

    /// Replaces `site.json` in one step.
    async fn write_site_json(
        &self,
        slot: Slot,
        config: &SiteConfig,
    ) -> Result<Ensured, DriverError>;

    /// Frees a slot: no `site.json`, no link, nothing in its temporary folder. End its processes
    /// before.
    async fn clear_slot(&self, slot: Slot) -> Result<Ensured, DriverError>;

    /// Moves a site's folder to the trash.
    async fn trash_site(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// Moves a site's folder back from the trash and makes it the slot's.
    async fn restore_site(&self, uid: TenantUid, slot: Slot) -> Result<Restored, DriverError>;

    /// Removes a site's folder for good, from `sites` and from the trash, and its log.
    async fn erase_site(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// Leaves a login for the site's must-use plugin to take. Removes those that expired.
    async fn write_login_token(
        &self,
        uid: TenantUid,
        slot: Slot,
        token: &LoginToken,
        now_unix_s: i64,
    ) -> Result<(), DriverError>;

    /// How much `wp-content` takes; bounded in entries and time.
    async fn usage(&self, uid: TenantUid) -> Result<DiskUsage, DriverError>;

    /// Has the file system hold the site to so many bytes, where it can (project quotas), and says
    /// what the site takes then: a question to the kernel, but for the first time. `None` where the
    /// file system can't: count by [`taken`](Self::taken) there.
    async fn hold(
        &self,
        uid: TenantUid,
        slot: Slot,
        bytes_max: u64,
    ) -> Result<Option<DiskHeld>, DriverError>;

    /// Bytes on disk of all that the site can write: its folder, and its slot's temporary one.
    /// Bounded in time; what was not counted is not in it.
    async fn taken(&self, uid: TenantUid, slot: Slot) -> Result<u64, DriverError>;

    /// When the site last said that its plugins or themes changed, in milliseconds since 1970;
    /// only good for being compared with what it said before.
    async fn changed_at(&self, uid: TenantUid) -> Result<Option<i64>, DriverError>;

    /// When each of these sites wants to be woken for its scheduled events, in seconds since 1970,
    /// as it says itself; not those that say nothing.
    async fn cron_marks(
        &self,
        sites: &[TenantUid],
    ) -> Result<BTreeMap<TenantUid, i64>, DriverError>;

    /// Everything that exists.
    async fn inventory(&self) -> Result<Vec<FileObject>, DriverError>;
}
