//! The shard's database server, as the reconciler sees it.
//!
//! A site's database is made by cloning a template database of the same core version, which a
//! [`TemplateSource`] filled once. The record of what is complete lives in a platform database
//! that no tenant can reach, so that nothing a tenant does to its own database looks like a
//! half-made one.

use std::path::PathBuf;
use std::time::Duration;

use aipress_types::Secret;
use aipress_types::TenantUid;
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::Ensured;
use crate::content::Content;
use crate::content::DatabaseFacts;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// Address that stands in the template where a site's own will stand. The `.invalid` domain
/// belongs to nobody (RFC 2606 section 2).
pub const TEMPLATE_HOME: &str = "http://aipress-template.invalid";
/// E-mail address of the template's administrator, likewise.
pub const TEMPLATE_EMAIL: &str = "template@aipress-template.invalid";
/// Login of the template's administrator.
pub const TEMPLATE_LOGIN: &str = "template";
/// Title of the template.
pub const TEMPLATE_TITLE: &str = "AIPress template";

/// A tenant's database and its user.
#[derive(Debug, Clone)]
pub struct SiteDatabase {
    /// The tenant.
    pub uid: TenantUid,
    /// Name of its database.
    pub name: String,
    /// Name of its user (host `localhost`).
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

impl SiteDatabase {
    /// The database of a tenant: both names are its handle.
    pub fn of(uid: TenantUid, password: Secret) -> Self {
        let handle = tenant_handle(uid);
        Self { uid, name: handle.clone(), user: handle, password }
    }
}

/// What makes a copy of the template somebody's site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personalization {
    /// Address of the site without a slash at the end.
    pub home: String,
    /// Title, as typed.
    pub title: String,
    /// Login of the first administrator (`admin`).
    pub admin_login: String,
    /// Address of the first administrator.
    pub admin_email: String,
    /// The moment of creation, in seconds since 1970 UTC.
    pub now_unix_s: i64,
}

/// Where a [`TemplateSource`] finds the empty database that it fills.
#[derive(Debug, Clone)]
pub struct TemplateAccess {
    /// The server's socket.
    pub socket: PathBuf,
    /// The empty database.
    pub database: String,
    /// A user with rights on this database only, which ends with the call.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// Fills a template database: WordPress's installer in the real platform, SQL in tests.
#[async_trait]
pub trait TemplateSource: Send + Sync {
    /// Changes when the same core version would be installed differently; an existing template of
    /// another revision is made anew.
    fn revision(&self) -> String;

    /// Longest time that [`fill`](Self::fill) may take.
    fn time_limit(&self) -> Duration {
        Duration::from_secs(120)
    }

    /// Installs into the empty database. Called again from the start when it was interrupted.
    async fn fill(&self, access: &TemplateAccess) -> Result<(), DriverError>;
}

/// How a site's database may grow, the freest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatabaseGrowth {
    /// As it likes.
    Free,
    /// No new rows or tables; rows that are there may change: people can sign in.
    Updates,
    /// Rows can be read and deleted.
    Nothing,
}

/// A site whose queries keep the server busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusySite {
    /// Whose they are.
    pub uid: TenantUid,
    /// How many it may run at once.
    pub queries: u32,
    /// It takes all cores from the others: it has as many connections, until it is calm.
    pub is_held: bool,
}

/// What a site's database takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseRoom {
    /// Whose it is.
    pub uid: TenantUid,
    /// Bytes of its files, less what is free in them.
    pub bytes: u64,
    /// How it may grow now.
    pub growth: DatabaseGrowth,
}

/// What the platform's record says of a site's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteState {
    /// Begun and not complete: made anew by the next `ensure_site`.
    Making,
    /// Complete; the tenant's own from here on.
    Ready,
    /// Kept without a user (a deleted tenant).
    Aside,
    /// Being erased.
    Erasing,
}

impl SiteState {
    /// The word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Making => "making",
            Self::Ready => "ready",
            Self::Aside => "aside",
            Self::Erasing => "erasing",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Making, Self::Ready, Self::Aside, Self::Erasing]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// Kind of a thing in the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DbObjectKind {
    /// The platform's record of a site.
    Record,
    /// A database.
    Database,
    /// A user.
    User,
    /// A right (`name` is `user@host ON pattern`).
    Grant,
}

/// Who explains a thing in the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DbOwner {
    /// The platform itself (its records, its administrator).
    Platform,
    /// The template of this core version, or a copy made in advance from it.
    Template(String),
    /// A site with its recorded state.
    Site(TenantUid, SiteState),
    /// A name of ours for this tenant, but no record.
    Unrecorded(TenantUid),
    /// Nobody.
    Unexplained,
}

/// A thing that exists in the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbObject {
    /// What it is.
    pub kind: DbObjectKind,
    /// Its name there.
    pub name: String,
    /// Who explains it.
    pub owner: DbOwner,
    /// Users only: whether it may not sign in now.
    pub locked: bool,
}

/// How large a database is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseSize {
    /// Bytes of data and indexes.
    pub bytes: u64,
    /// Tables.
    pub tables: u64,
    /// The ten largest tables with their bytes.
    pub largest: Vec<(String, u64)>,
}

/// The shard's database server.
#[async_trait]
pub trait Database: Send + Sync {
    /// Whether it answers as administrator, within a second.
    async fn health(&self) -> Result<(), DriverError>;

    /// Keeps the server's own logs to their bounds.
    async fn trim_logs(&self) -> Result<(), DriverError>;

    /// Makes the template of a core version, where it is missing or of another revision.
    async fn ensure_template(
        &self,
        core_version: &str,
        source: &dyn TemplateSource,
    ) -> Result<Ensured, DriverError>;

    /// Keeps `count` copies of the template ready, so that the next sites are made by renaming.
    /// Returns how many were added; makes at most one per call, so that the caller can pace it.
    async fn ensure_spare(&self, core_version: &str, count: u32) -> Result<Ensured, DriverError>;

    /// Makes a site's database and user. A complete database is never touched (its user and
    /// rights are repaired); a half-made one is made anew. Does not unlock a suspended user.
    ///
    /// # Errors
    /// `Conflict` when the database exists without a record, is recorded complete but gone, or is
    /// set aside.
    async fn ensure_site(
        &self,
        site: &SiteDatabase,
        core_version: &str,
        personalization: &Personalization,
    ) -> Result<Ensured, DriverError>;

    /// Makes a site's database from an archive instead of the template: as long as the last row is
    /// not there it counts as half-made. A complete one is kept as by
    /// [`ensure_site`](Self::ensure_site). Takes as long as the archive is large.
    ///
    /// # Errors
    /// As for `ensure_site`; `Invalid` for what is not taken from the archive, with its line.
    async fn ensure_site_from(
        &self,
        site: &SiteDatabase,
        core_version: &str,
        content: &Content,
    ) -> Result<Ensured, DriverError>;

    /// Counts what [`dump`](Self::dump) would send.
    async fn facts(&self, uid: TenantUid) -> Result<DatabaseFacts, DriverError>;

    /// Sends a site's database as SQL of one instant, in chunks of whole statements of some MiB.
    /// Ends early, without an error, when nobody takes them. Takes as long as it is large.
    ///
    /// # Errors
    /// `Conflict` when there is no database.
    async fn dump(&self, uid: TenantUid, chunks: mpsc::Sender<Vec<u8>>) -> Result<(), DriverError>;

    /// Makes the user accept exactly these passwords (one, or old and new while rotating).
    async fn set_passwords(
        &self,
        uid: TenantUid,
        accepted: &[Secret],
    ) -> Result<Ensured, DriverError>;

    /// Locks the user and ends its connections.
    async fn suspend(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// Unlocks the user.
    async fn resume(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// Removes the user and keeps the database (a deleted tenant).
    async fn set_aside(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// Gives a database that was set aside its user again.
    async fn bring_back(&self, site: &SiteDatabase) -> Result<Ensured, DriverError>;

    /// Removes user, database and record for good. `Kept` when there was nothing.
    async fn erase(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// Keeps a copy of a site's database on the server, out of the tenant's reach; a complete one
    /// that is there is kept as it is. Nobody must write to the site meanwhile. Drop it when it is
    /// no longer needed: it takes as much room as the site.
    ///
    /// # Errors
    /// `Conflict` for a database that a copy of its tables would not be all of.
    async fn snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// Puts the copy in the place of the site's tables and ends it; goes on where it was
    /// interrupted. `Kept` when there is none: it was restored or dropped before.
    async fn restore_snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// Removes the copy; `Kept` when there is none.
    async fn drop_snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// How much all sites' databases take, and whether they may grow. Cheap enough to be asked all
    /// the time.
    async fn rooms(&self) -> Result<Vec<DatabaseRoom>, DriverError>;

    /// Lets a site's database grow, or not; its sessions end, since they keep what they began with.
    /// Reading and deleting stay.
    async fn set_growth(
        &self,
        uid: TenantUid,
        growth: DatabaseGrowth,
    ) -> Result<Ensured, DriverError>;

    /// Gives back what the server's logs of changes take, all but the newest of them.
    async fn give_back_logs(&self) -> Result<Ensured, DriverError>;

    /// Ends queries of sites that run longer, and says whose they were. Also ends prepared
    /// transactions (XA) whose connections are gone: they would be everybody's to end.
    async fn end_long_queries(&self, longer_than: Duration) -> Result<Vec<TenantUid>, DriverError>;

    /// Says whose queries keep the server busy, and ends those that such a site has running beyond
    /// what it may; one that takes all cores from the others may have few connections for a while.
    /// To be called all the time; next to nothing while the server has little to do.
    async fn calm_queries(&self) -> Result<Vec<BusySite>, DriverError>;

    /// How large a site's database is, as the server estimates it.
    async fn size(&self, uid: TenantUid) -> Result<DatabaseSize, DriverError>;

    /// When the first of a site's scheduled events is due, in seconds since 1970; `None` when there
    /// is none, or when its list is too long to be read.
    async fn cron_due(&self, uid: TenantUid) -> Result<Option<i64>, DriverError>;

    /// Everything that exists but for MariaDB's own.
    async fn inventory(&self) -> Result<Vec<DbObject>, DriverError>;
}
