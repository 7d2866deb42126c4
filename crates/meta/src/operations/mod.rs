//! The steps of operations. What a shard does is the shard's own list, reported as it goes; meta
//! adds the first (the request is recorded) and the last (edges know).

pub(crate) mod finish;
pub(crate) mod push;
pub(crate) mod shard_call;

/// Version of the step list, kept with each operation.
pub(crate) const WORKFLOW_VERSION: u32 = 1;
/// First step of every operation.
pub(crate) const ACCEPT: &str = "accept";
/// Last step of every operation.
pub(crate) const ROUTE: &str = "route";

/// What people read for a step of an operation of `kind`. A name that is not known here (a newer
/// shard's) is shown as it is.
pub(crate) fn title<'a>(kind: &str, name: &'a str) -> &'a str {
    match (kind, name) {
        (_, ACCEPT) => "record what was asked for",
        (_, ROUTE) => "tell the edges",
        (_, "unroute" | "suspend") => "stop serving",
        (_, "workers") => "end the workers",
        (_, "serving") => "start serving",
        (_, "packages") => "plugins and themes",
        (_, "secrets") => "let the new passwords in beside the old",
        (_, "secrets-end") => "take the old passwords away",
        ("tenant.rotate_secrets", "files") => "give the site the new ones",
        (_, "php") => "start its own PHP",
        (_, "php-end") => "end its own PHP",
        (_, "core") => "choose WordPress",
        (_, "core-before") => "look how the site is",
        (_, "core-maintenance") => "show visitors a notice",
        (_, "core-snapshot") => "keep a copy of the database",
        (_, "core-switch") => "switch WordPress",
        (_, "core-upgrade") => "upgrade the database",
        (_, "core-check") => "look whether the site works",
        (_, "core-settle") => "remove the copy",
        (_, "core-back") => "go back to the former WordPress",
        ("tenant.delete", "files") => "put the files aside",
        ("tenant.delete", "database") => "put the database aside",
        ("tenant.erase", "files") => "remove the files",
        ("tenant.erase", "database") => "remove the database",
        ("tenant.delete" | "tenant.erase", "cache") => "remove the cache user",
        ("tenant.delete" | "tenant.erase", "slot") => "free the slot",
        ("tenant.create" | "tenant.undelete", "slot") => "take a slot",
        ("tenant.create", "database") => "make the database",
        ("tenant.create" | "tenant.undelete", "cache") => "make the cache user",
        ("tenant.create", "files") => "lay out the files",
        ("tenant.undelete", "database") => "bring the database back",
        ("tenant.undelete", "files") => "bring the files back",
        ("tenant.export" | "tenant.clone", "write") => "write the archive",
        ("tenant.import" | "tenant.clone", "slot") => "take a slot",
        ("tenant.import" | "tenant.clone", "database") => "load the database",
        ("tenant.import" | "tenant.clone", "files") => "unpack the files",
        ("tenant.import" | "tenant.clone", "cache") => "make the cache user",
        ("tenant.import" | "tenant.clone", "remove") => "remove what was made",
        (_, "slot") => "check the slot",
        (_, "database") => "check the database",
        (_, "cache") => "check the cache user",
        (_, "files") => "check the files",
        (_, other) => other,
    }
}
