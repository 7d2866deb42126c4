//! Archives of WordPress plugins and themes: checked as an attacker would hate it, read and
//! described. What is checked here may be unpacked by root; where it goes is the caller's.
//!
//! Deliberately absent: file systems beyond the one open archive, the network, and knowledge of
//! sites.

pub mod archive;
#[cfg(feature = "build")]
pub mod build;
pub mod headers;
mod path;
pub mod refusal;

pub use archive::Archive;
pub use archive::Entry;
pub use archive::Limits;
pub use headers::Described;
pub use refusal::Refusal;
