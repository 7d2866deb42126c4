//! The rules, and the transaction of each change: called by handlers and reconcilers, unaware of
//! HTTP.

pub(crate) mod ask_shard;
pub(crate) mod audit;
pub(crate) mod intent;
pub(crate) mod inventory;
pub(crate) mod log;
pub(crate) mod login_link;
pub(crate) mod mail;
pub(crate) mod operation;
pub(crate) mod package;
pub(crate) mod placement;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod retention;
pub(crate) mod route;
pub(crate) mod scope;
pub(crate) mod secrets;
pub(crate) mod shard;
pub(crate) mod site_package;
pub(crate) mod tenant;
pub(crate) mod transfer;
pub(crate) mod webhook;
pub(crate) mod wp;
