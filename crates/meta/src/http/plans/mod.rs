//! `/v1/plans`: what changes would do.

pub(crate) mod apply;
pub(crate) mod create;
pub(crate) mod show;
