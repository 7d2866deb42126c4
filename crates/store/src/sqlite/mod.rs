//! The registry on SQLite (WAL, one writer, a pool of readers). Everything that knows SQL or the
//! database library is below here; a second backend goes beside it.
//!
//! Each noun has a file with its rows, its statements and what it adds to [`Store`] and [`Txn`].
//! The functions in there take a connection, so that a read is the same inside and outside of a
//! transaction. No statement contains data: everything is bound.

#[macro_use]
mod access;
mod accounts;
mod audit;
mod audit_chain;
mod audit_verify;
mod columns;
mod events;
mod idempotency;
mod inventories;
mod migrate;
mod observed;
mod operation_events;
mod operation_leases;
mod operations;
mod packages;
mod plans;
mod result_codes;
mod routes;
mod sequences;
mod settings;
mod shards;
mod store;
mod tenant_list;
mod tenant_rows;
mod tenants;
mod tokens;
mod transfers;
mod txn;
mod webhook_deliveries;
mod webhooks;

pub use store::Store;
pub use store::StoreOptions;
pub use txn::Txn;

use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;
