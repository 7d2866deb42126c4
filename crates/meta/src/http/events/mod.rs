//! `/v1/events`: what happened, as pages or as a stream.

mod follow;
pub(crate) mod list;
