//! The phases of a request. Each decides or moves, none knows how visitors' connections work.
//! `pipeline` puts them in their order; a page cache goes between admission and upstream.

pub(crate) mod access;
pub(crate) mod forwarded;
pub(crate) mod handover;
pub(crate) mod hop_by_hop;
pub(crate) mod log;
pub(crate) mod pipeline;
pub(crate) mod refusal;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod upstream;
