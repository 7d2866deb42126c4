//! The edge: takes every visitor's request and sends it to the shard that holds the site.
//!
//! A request goes through named phases, one file each in `phases`, around one
//! `context::RequestContext`:
//!
//! ```text
//! client → access (shape) → route → access (admission) → upstream → respond → log
//!                             │            │                │
//!                             └────────────┴── refusal ─────┴→ pages → respond → log
//! ```
//!
//! What decides is pure and tested without sockets; what moves bytes is in `client` (visitors'
//! connections) and `upstream` (gateways and meta). The table of hosts is in `routes`: a
//! snapshot on disk, then changes from meta as they come.
//!
//! Invariants: with meta down the edge routes for ever by what it knows; nothing that a client
//! sends passes for a header of ours; an answer that broke on its way never looks whole; every
//! queue, buffer, pool and wait is bounded by [`config`].
//!
//! Deliberately absent: SQL of any kind, reading arguments, environment or configuration files
//! (the binary does), and binding the port (the supervisor holds the socket).

pub mod config;
pub mod metrics;
pub mod network;

mod backoff;
mod body;
mod client;
mod context;
mod edge;
mod host;
mod pages;
mod phases;
mod request_id;
mod routes;
mod run;
mod upstream;

pub use config::EdgeConfig;
pub use config::Limits;
pub use config::Scheme;
pub use config::Timeouts;
pub use metrics::Metrics;
pub use metrics::MetricsSnapshot;
pub use network::Network;
pub use run::EdgeError;
pub use run::run;

#[cfg(test)]
mod tests;
