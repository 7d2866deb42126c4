//! What every backend of the registry must do. Each case gets an empty registry of each backend in
//! [`backends::all`]; a new backend is one line there.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
#![expect(clippy::cognitive_complexity, reason = "a case is a straight line of assertions")]

mod accounts;
mod audit;
mod backends;
mod events;
mod idempotency;
mod leases;
mod lists;
mod observed;
mod operations;
mod records;
mod routes;
mod shards;
mod tenants;
mod transactions;
mod webhooks;
