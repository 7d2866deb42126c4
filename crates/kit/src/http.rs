//! HTTP between roles: a server on an inherited socket, a client for `unix:`, `http:` and
//! `https:` URLs; and a client for the world outside.

mod client;
pub mod outgoing;
mod redact;
mod serve;

pub(crate) use outgoing::tls::config as tls_config;

pub use client::Client;
pub use client::ClientError;
pub use client::Endpoint;
pub use redact::redacted;
pub use redact::without_query;
pub use serve::Peer;
pub use serve::serve;
pub use serve::serve_with;
