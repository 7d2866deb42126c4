//! `/v1/health`: whether meta works.

pub(crate) mod show;
