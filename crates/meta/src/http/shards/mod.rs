//! `/v1/shards`: the cells that sites live in.

pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod update;
