//! The verbs that people use, over the public API only (and the
//! person's own settings).

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod config;
mod confirm;
pub(crate) mod connect;
pub(crate) mod context;
pub(crate) mod diff;
mod documents;
pub(crate) mod events;
pub(crate) mod follow;
pub(crate) mod operation;
pub(crate) mod package;
pub(crate) mod plan;
pub(crate) mod project;
pub(crate) mod route;
pub(crate) mod shard;
pub(crate) mod tenant;
pub(crate) mod webhook;
