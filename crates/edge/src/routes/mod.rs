//! Which host is where: the table in memory ([`table`]), on disk ([`snapshot`]), told by meta
//! ([`feed`]), and asked of meta for a host that nobody knows ([`lookup`]).
//!
//! Meta's numbered log is the truth; the disk only bridges a restart, and a question only the
//! moment until the log arrives.

pub(crate) mod asked;
pub(crate) mod feed;
pub(crate) mod lookup;
pub(crate) mod meta;
pub(crate) mod snapshot;
pub(crate) mod table;
