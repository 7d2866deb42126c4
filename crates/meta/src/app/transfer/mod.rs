//! Archives of sites: exported, imported, cloned. What the three share.

pub(crate) mod clone;
mod document;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod look;
pub(crate) mod spool;

/// Kind of the operation of an export: told by its shard's spool, not by the tenant's intent.
pub(crate) const EXPORT: &str = "tenant.export";
/// Kind of the operation that makes a site of an uploaded archive.
pub(crate) const IMPORT: &str = "tenant.import";
/// Kind of the operation that makes a site of another one.
pub(crate) const CLONE: &str = "tenant.clone";

/// Whether an operation of this kind leaves nothing behind when it fails: it ends when the site is
/// made, or when all of it is removed again.
pub(crate) fn is_all_or_nothing(kind: &str) -> bool {
    matches!(kind, IMPORT | CLONE)
}
