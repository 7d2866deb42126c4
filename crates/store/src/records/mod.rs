//! The records that the registry takes and gives. They are not rows (those stay below `sqlite/`)
//! and not wire types (those are in `aipress-api`): nothing here is serialized, but cursors.

mod account;
mod audit;
mod event;
mod idempotency;
mod inventory;
mod operation;
mod package;
mod page;
mod plan;
mod route;
mod shard;
mod tenant;
mod transfer;
mod webhook;

pub use account::*;
pub use audit::*;
pub use event::*;
pub use idempotency::*;
pub use inventory::*;
pub use operation::*;
pub use package::*;
pub use page::*;
pub use plan::*;
pub use route::*;
pub use shard::*;
pub use tenant::*;
pub use transfer::*;
pub use webhook::*;
