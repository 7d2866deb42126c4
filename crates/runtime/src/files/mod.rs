//! Static files: opened so that no trick of a tenant leads out of its tree, described, and sent.

pub mod chunk;
pub mod conditional;
pub mod mime;
pub mod open;
pub mod range;
pub mod send;
