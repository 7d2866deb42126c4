//! Connections to gateways and to meta: HTTP/1.1, kept alive, driven from within the request.
//!
//! A connection has no task of its own. The request that took it from the [`pool`] polls it, and
//! so does the answer's body ([`answer`]): no task is started or woken for a request, and a
//! visitor who leaves takes the connection, and with it the gateway's work, away in the same
//! instant.

pub(crate) mod answer;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod pool;
pub(crate) mod request_body;
pub(crate) mod tunnel;

pub(crate) use pool::Upstream;
pub(crate) use pool::Upstreams;
