//! A whole site in one file (`.aip`): a tar archive compressed by zstd, with the tenant's
//! document, its database as SQL and its `wp-content`. Layer 1; knows no server and no folder.
//!
//! - [`mod@write`] and [`mod@read`] are the two ends of the format; any tool opens it, too:
//!   `zstd -d < bakery.aip | tar x && sha256sum -c checksums.sha256`.
//! - [`sql`] cuts a dump into statements, says which of them may be loaded, and changes them on
//!   the way: another table prefix, another address, engines and collations of other servers.
//! - [`serialized`] changes texts inside of PHP's serialization without ever making objects.
//! - [`inspect`] looks at a whole archive or dump and says what will not work here.
//!
//! Everything streams: memory is bounded by the size of a frame and of a statement.

pub mod address;
pub mod document;
pub mod error;
pub mod follow;
mod frames;
pub mod inspect;
pub mod manifest;
pub mod member;
mod names;
pub mod read;
pub mod serialized;
pub mod sql;
pub mod write;

pub use address::AddressChange;
pub use error::ArchiveError;
pub use inspect::Finding;
pub use inspect::Level;
pub use inspect::Report;
pub use manifest::Manifest;
pub use member::Member;
pub use member::MemberKind;
pub use read::Limits;
pub use write::ArchiveWriter;
