//! What a shard uses to touch the world: traits, and two implementations of each.
//!
//! `local` is real: MariaDB, Redis, php-fpm and folders of this machine. `sim` is memory, with
//! injectable latency and faults. The shard's reconciler calls the traits only.
//!
//! Invariants: everything is idempotent and level-triggered. `ensure_*` looks first and changes
//! only what differs; `inventory` lists everything that exists, also what nobody explains. Nothing
//! that was ever complete is dropped or overwritten by an `ensure_*`; only `erase*` removes data.
//! Every call has a time-out inside. No retries here: the reconciler comes again.

pub mod cache;
pub mod content;
pub mod database;
pub mod error;
pub mod exec;
pub mod files;
pub mod layout;
pub mod local;
pub mod packages;
pub mod php;
pub mod share;
pub mod sim;
pub mod uids;
pub mod unit;

use std::sync::Arc;

pub use cache::AclUser;
pub use cache::Cache;
pub use cache::CacheRoom;
pub use cache::CacheUser;
pub use content::Content;
pub use content::ContentFacts;
pub use content::ContentPiece;
pub use content::ContentSource;
pub use content::DatabaseFacts;
pub use content::Progress;
pub use database::BusySite;
pub use database::Database;
pub use database::DatabaseGrowth;
pub use database::DatabaseRoom;
pub use database::DatabaseSize;
pub use database::DbObject;
pub use database::DbObjectKind;
pub use database::DbOwner;
pub use database::Personalization;
pub use database::SiteDatabase;
pub use database::SiteState;
pub use database::TemplateAccess;
pub use database::TemplateSource;
pub use error::DriverError;
pub use exec::Exec;
pub use exec::ExecCall;
pub use exec::ExecChunk;
pub use exec::ExecExit;
pub use exec::ExecOutput;
pub use exec::Program;
pub use exec::Sandbox;
pub use files::DiskHeld;
pub use files::DiskUsage;
pub use files::FileObject;
pub use files::Files;
pub use files::LoginToken;
pub use files::SiteConfig;
pub use layout::DataPaths;
pub use layout::ShardPaths;
pub use layout::Slot;
pub use packages::PackageMark;
pub use packages::PackagePlace;
pub use packages::Packages;
pub use php::Php;
pub use php::PhpWorker;
pub use php::Recycle;
pub use php::SlotProcess;
pub use share::Share;
pub use share::ShareControls;
pub use share::ShareMet;
pub use share::SlotShare;
pub use share::Told;
pub use share::ToldLimit;
pub use uids::ShardIds;
pub use uids::UidPlan;
pub use uids::UnixIds;
pub use unit::UnitCommand;
pub use unit::UnitControl;

/// What an `ensure_*` found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was not there (or only half) and is now.
    Created,
    /// It was there, differed in something that may be changed, and is right now.
    Repaired,
    /// It was there as wanted; nothing was changed.
    Kept,
}

/// The drivers of one shard.
#[derive(Clone)]
pub struct Drivers {
    /// Its database server.
    pub database: Arc<dyn Database>,
    /// Its Redis.
    pub cache: Arc<dyn Cache>,
    /// Its php-fpm.
    pub php: Arc<dyn Php>,
    /// Its folders.
    pub files: Arc<dyn Files>,
    /// Commands in its sites' sandboxes.
    pub exec: Arc<dyn Exec>,
    /// Plugins and themes in its sites' folders.
    pub packages: Arc<dyn Packages>,
    /// What its sites may take of the machine.
    pub share: Arc<dyn Share>,
}
