//! Meta as a whole: a real registry in a temporary folder, real HTTP over Unix sockets, shards
//! that do as they are told.

mod access;
mod audit;
mod bad_input;
mod bootstrap;
mod broken;
mod described;
mod docs_page;
mod documents;
mod dry_run;
mod endpoint;
mod events;
mod fields;
mod followers;
mod harness;
mod idempotency;
mod internal;
mod life;
mod lists;
mod logs;
mod mail;
mod openapi;
mod operations;
mod packages;
mod placement;
mod plane;
mod plans;
mod rotation;
mod shard;
mod site_packages;
pub(crate) mod transfers;
mod verification;
mod webhooks;
