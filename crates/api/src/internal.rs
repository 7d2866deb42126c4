//! Calls between roles. Not public, but versioned ([`crate::PROTOCOL`]): roles of two versions
//! may meet while a machine is being updated.

pub mod export;
pub mod inventory;
pub mod login_token;
pub mod logs;
pub mod mail;
pub mod packages;
pub mod report;
pub mod routes;
pub mod sites;

pub use export::ExportBegin;
pub use export::ExportPhase;
pub use export::ExportStatus;
pub use inventory::InventoryItem;
pub use inventory::ShardInventory;
pub use login_token::LoginTokenCreate;
pub use logs::EdgeLine;
pub use logs::EdgeLines;
pub use logs::LogsAsked;
pub use logs::LogsFound;
pub use mail::MailChange;
pub use mail::MailNews;
pub use mail::MailNewsKind;
pub use mail::MailTallies;
pub use mail::MailVerb;
pub use packages::PackageResolve;
pub use packages::PackageResolved;
pub use report::CronTallies;
pub use report::IntentList;
pub use report::ReportAnswer;
pub use report::ShardReport;
pub use report::ShardTallies;
pub use routes::RouteChanges;
pub use routes::RouteEntry;
pub use routes::RouteState;
pub use sites::SiteChanges;
pub use sites::SiteEntry;
pub use sites::SiteState;
