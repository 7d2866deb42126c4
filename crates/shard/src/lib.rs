//! A shard: a cell of 50 sites. The control plane makes reality match the intents that meta
//! pushed; the gateway serves visitors. Two processes: the first needs root to make files for the
//! slots' users, the second has dropped it. Neither opens a connection to the other's data.

pub mod config;
mod content;
pub mod core;
mod cron;
mod exports;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod gateway;
mod http;
pub mod installer;
mod inventory;
pub mod journal;
mod mail;
mod meta;
pub mod packages;
mod plane;
mod reconcilers;
mod run;
mod site_inventory;
mod sites;
pub mod smoke;
mod steps;
mod tenants;

pub use config::LimitOverrides;
pub use config::ShardConfig;
pub use core::CoreSource;
pub use core::LocalCores;
pub use core::ShardCore;
pub use installer::WordPressInstaller;
pub use mail::MailSettings;
pub use packages::PackageShelf;
pub use run::ShardError;
pub use run::ShardParts;
pub use run::run;
pub use smoke::FastCgiVisitor;
pub use smoke::Visitor;
