//! A tenant's log lines on disk: written without ever making anybody wait, kept by size and age,
//! found again without loading a file whole.
//!
//! `logs/<uid>/<source>/<first id>.jsonl`: a folder for each tenant, which somebody else makes and
//! removes, a folder for each source, and in it segments of JSON lines whose ids grow. Several processes
//! may write a source (mail: the gateway what PHP says, the shard what became of it), one at a time;
//! any may read it.
//!
//! Invariants: what one tenant writes costs only its own lines, in memory (a bounded queue for each
//! tenant and source, emptied in turns) and on disk (a bound for each tenant and source, the oldest
//! go first); what was lost in the queue is said by a line of its own. A line is one line of JSON,
//! of bounded length, whatever its text holds. No link is followed below the folder.
//!
//! Deliberately absent: `fsync` (a line is not worth a disk's rotation), compression, and any idea
//! of what a site is.

mod files;
mod id;
mod limits;
mod line;
mod queue;
mod read;
mod segment;
mod stream;
mod writer;

#[cfg(test)]
mod tests;

pub use id::BadLineId;
pub use id::LineId;
pub use limits::LogLimits;
pub use line::NewLine;
pub use read::LogQuery;
pub use read::LogReader;
pub use read::Order;
pub use read::Read;
pub use writer::LogWriter;
