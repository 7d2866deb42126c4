//! `/v1/exports`: archives of sites.

pub(crate) mod data;
pub(crate) mod show;
