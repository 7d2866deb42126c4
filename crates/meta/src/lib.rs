//! The meta control plane: knows every tenant, decides which shard holds it, and is the one home
//! of every change (`/v1`), for people and programs alike.
//!
//! - The registry is the truth about what should be. Everything after it (pushes to shards, route
//!   changes to edges, ends of operations) is level-triggered: recomputed from the registry,
//!   repeated until it is seen to be so, and safe to be killed at any instant.
//! - Every mutation is one transaction: tenant, operation, audit row, event, idempotency result.
//! - Every handler asks `policy::authorize`; nothing else decides who may do what.
//!
//! Deliberately absent: SQL (that is `aipress-store`), connections to a tenant's database, files
//! of a site, the environment and command line (those are the binary's).

mod admin_token;
mod app;
mod change;
mod codes;
mod config;
mod error;
mod http;
mod key_check;
mod metrics;
mod operations;
mod plane;
mod policy;
mod problem;
mod reconcilers;
mod run;
mod schema;
mod signals;
mod streams;

pub use aipress_feed::EVENT_KINDS;
pub use aipress_feed::EventKind;
pub use aipress_feed::webhooks::WebhookConfig;
pub use aipress_mirror::PackagesConfig;
pub use config::CheckpointConfig;
pub use config::Federation;
pub use config::MasterKey;
pub use config::MetaConfig;
pub use config::SiteUrls;
pub use error::MetaError;
pub use http::openapi;
pub use run::run;
pub use schema::tenant_schema;
pub use streams::StreamLimits;

#[cfg(test)]
mod tests;
