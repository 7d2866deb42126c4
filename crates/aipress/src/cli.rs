//! The verbs that people use, over the public API only.

mod confirm;
pub(crate) mod connect;
pub(crate) mod events;
pub(crate) mod follow;
pub(crate) mod operation;
pub(crate) mod package;
pub(crate) mod project;
pub(crate) mod route;
pub(crate) mod shard;
pub(crate) mod tenant;
