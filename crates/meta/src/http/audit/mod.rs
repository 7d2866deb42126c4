//! `/v1/audit`: who did what.

pub(crate) mod list;
pub(crate) mod verification;
