//! What stands beside the audit log: checkpoints that prove it, and files that it is exported to.
//!
//! A checkpoint has the ends of the log's chains, signed, in a file outside of the registry
//! (docs/adr/0017-audit-chains.md). Who rewrites rows can rewrite links, but not what was signed. One
//! line is `{"checkpoint":{…},"signature":"<hex>"}`; signed (Ed25519, RFC 8032) are the bytes of the
//! inner object as they stand there. Each tells the SHA-256 of the line before it, so that none can
//! be left out. A line has only the ends that moved since the line before.
//!
//! Deliberately absent: the chains themselves (`aipress-store`), and who may see what (`aipress-meta`).

mod export;
mod file;
mod keeper;
mod sign;

pub use export::CSV_HEAD;
pub use export::csv_line;
pub use file::Checkpoint;
pub use file::CheckpointHead;
pub use file::Seen;
pub use file::read;
pub use keeper::CheckpointError;
pub use keeper::Keeper;
pub use sign::KeyError;
pub use sign::PublicKey;
pub use sign::SigningKey;

#[cfg(test)]
mod tests;
