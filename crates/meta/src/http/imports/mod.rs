//! `/v1/imports`: archives that become sites.

pub(crate) mod complete;
pub(crate) mod create;
pub(crate) mod data;
pub(crate) mod delete;
pub(crate) mod show;
