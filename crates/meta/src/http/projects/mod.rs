//! `/v1/projects`: where shards and shared services live.

pub(crate) mod list;
