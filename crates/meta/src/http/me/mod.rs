//! `/v1/me`: the caller.

pub(crate) mod show;
