//! The registry: what should be, and what was last seen to be. Layer 2; the only crate with SQL of
//! our own for it.
//!
//! - [`Store`] reads, [`Txn`] reads and writes; both speak only in the records of [`records`].
//!   Nothing of the database library shows, so that PostgreSQL can be a second implementation
//!   beside `sqlite/`, under the same conformance suite (`tests/conformance/`).
//! - Methods are named noun first: `tenant_fetch`, `tenant_list`, `tenant_insert`.
//! - One writer at a time: [`Store::begin`] takes the write lock at once. A [`Txn`] that is dropped
//!   is rolled back. What [`Txn::commit`] acknowledged survives a power cut.
//! - Time comes from the caller and is kept to the microsecond; no clock is read here.
//! - Secrets arrive sealed or hashed; this crate has no key.
//!
//! Deliberately absent: rules of who may do what, of when a state changes (the table of allowed
//! transitions of `aipress-types` is enforced, though), staleness of a shard's report, retries.

pub mod error;
pub mod records;
mod sqlite;

pub use error::ConflictRule;
pub use error::StoreError;
pub use records::*;
pub use sqlite::Store;
pub use sqlite::StoreOptions;
pub use sqlite::Txn;
