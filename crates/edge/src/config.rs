//! What an edge is told, and its bounds: sizes in bytes, waits, counts. Every bound has a default.

use std::path::PathBuf;
use std::time::Duration;

use aipress_kit::http::Endpoint;
use aipress_kit::listen::Listener;
use aipress_types::Secret;

use crate::backoff::Jitter;
use crate::metrics::Metrics;
use crate::network::Network;

/// Everything that one edge needs.
#[derive(Debug)]
pub struct EdgeConfig {
    /// Which edge this is, for logs.
    pub edge_id: String,
    /// The region that it is in, for logs.
    pub region: Option<String>,
    /// Where visitors come in; the supervisor's socket, or one bound by the binary.
    pub listener: Listener,
    /// Meta's role-to-role API.
    pub meta: Endpoint,
    /// What the edge proves itself with to meta.
    pub role_token: Secret,
    /// Host of console and API, without port.
    pub console_host: String,
    /// Meta's public API.
    pub console_upstream: Endpoint,
    /// Where the route table is kept over restarts (`edge/routes.json`).
    pub snapshot: PathBuf,
    /// Proxies in front of the edge whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<Network>,
    /// How visitors reach the listener.
    pub scheme: Scheme,
    /// Sizes and counts.
    pub limits: Limits,
    /// Waits.
    pub timeouts: Timeouts,
    /// Whether each request is logged (target `access`).
    pub access_log: bool,
    /// Where counts go; keep a clone to read them.
    pub metrics: Metrics,
    /// Randomness of the pauses between attempts to reach meta.
    pub jitter: Jitter,
}

/// The parts of [`EdgeConfig`] that have no default.
#[derive(Debug)]
pub struct Essentials {
    /// See [`EdgeConfig::listener`].
    pub listener: Listener,
    /// See [`EdgeConfig::meta`].
    pub meta: Endpoint,
    /// See [`EdgeConfig::role_token`].
    pub role_token: Secret,
    /// See [`EdgeConfig::console_upstream`].
    pub console_upstream: Endpoint,
    /// See [`EdgeConfig::snapshot`].
    pub snapshot: PathBuf,
}

impl EdgeConfig {
    /// An edge with the default bounds, no trusted proxies, console at `console.localhost`.
    pub fn new(edge_id: impl Into<String>, essentials: Essentials) -> Self {
        Self {
            edge_id: edge_id.into(),
            region: None,
            listener: essentials.listener,
            meta: essentials.meta,
            role_token: essentials.role_token,
            console_host: "console.localhost".to_owned(),
            console_upstream: essentials.console_upstream,
            snapshot: essentials.snapshot,
            trusted_proxies: Vec::new(),
            scheme: Scheme::Http,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            access_log: true,
            metrics: Metrics::default(),
            jitter: Jitter::default(),
        }
    }
}

/// How visitors reach the listener, as sites are told by `X-Forwarded-Proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// In clear text.
    #[default]
    Http,
    /// Over TLS that ends in front of the listener.
    Https,
}

impl Scheme {
    /// The word in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of this scheme means when it names none.
    pub fn default_port(self) -> &'static str {
        match self {
            Self::Http => "80",
            Self::Https => "443",
        }
    }
}

/// Sizes and counts.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Names and values of a request's header fields together, in bytes; beyond is 431.
    pub header_bytes: usize,
    /// Header fields of a request; beyond is 431.
    pub header_count: usize,
    /// Path and query of a request, in bytes; beyond is 414.
    pub uri_bytes: usize,
    /// Declared length of a request's body, in bytes; beyond is 413 before any of it is read.
    pub body_bytes: u64,
    /// Visitors' connections at once; more wait in the socket's backlog.
    pub connections: usize,
    /// Requests at once; one more is a 503.
    pub requests: usize,
    /// Requests to one gateway at once; one more is a 503.
    pub requests_per_upstream: usize,
    /// Requests for one host at once, so that nobody spends all of the above; one more is a 503.
    pub requests_per_host: usize,
    /// Upgraded connections (WebSockets) at once; one more is a 503.
    pub tunnels: usize,
    /// Idle connections kept to one gateway.
    pub idle_per_upstream: usize,
    /// Hosts remembered as unknown, or being asked for.
    pub remembered_unknown: usize,
    /// Questions to meta about unknown hosts in a second.
    pub questions_per_second: u32,
    /// Tasks that accept connections.
    pub accept_tasks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 64 * 1024,
            header_count: 128,
            uri_bytes: 16 * 1024,
            body_bytes: 100 * 1024 * 1024,
            connections: 16_384,
            requests: 8_192,
            requests_per_upstream: 2_048,
            requests_per_host: 1_024,
            tunnels: 1_024,
            idle_per_upstream: 128,
            remembered_unknown: 4_096,
            questions_per_second: 100,
            accept_tasks: 2,
        }
    }
}

/// Waits.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// From a request's first byte to the end of its head (slow-loris); met within a half more.
    pub head: Duration,
    /// How long a visitor's connection may idle between requests.
    pub keep_alive: Duration,
    /// How long a visitor may pause within a request body; then 408.
    pub request_body_idle: Duration,
    /// How long a visitor may take nothing of an answer.
    pub write_stall: Duration,
    /// For a connection to a gateway, with all attempts.
    pub connect: Duration,
    /// Until a gateway's head is there; then 504. Longer than the gateway's own, so that it speaks.
    pub response_head: Duration,
    /// How long a gateway may pause within an answer's body.
    pub response_body_idle: Duration,
    /// How long a connection to a gateway is kept for the next request. Shorter than what the
    /// gateway's server allows, so that it does not close what is being used.
    pub upstream_idle: Duration,
    /// How long both ends of an upgraded connection may be silent.
    pub tunnel_idle: Duration,
    /// For a client that expects `100 Continue`: how long the gateway may take to say it before
    /// the body is sent anyway (RFC 9110 section 10.1.1).
    pub expect_continue: Duration,
    /// For meta to say where an unknown host is.
    pub question: Duration,
    /// How long a host stays unknown once meta said so.
    pub unknown: Duration,
    /// How long meta may hold back an answer when no route changes.
    pub feed_wait: Duration,
    /// How long changes are gathered before the table is written to disk.
    pub snapshot_debounce: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            request_body_idle: Duration::from_secs(60),
            write_stall: Duration::from_secs(60),
            connect: Duration::from_secs(2),
            response_head: Duration::from_secs(310),
            response_body_idle: Duration::from_secs(310),
            upstream_idle: Duration::from_secs(15),
            tunnel_idle: Duration::from_secs(300),
            expect_continue: Duration::from_secs(1),
            question: Duration::from_millis(300),
            unknown: Duration::from_millis(1_500),
            feed_wait: Duration::from_secs(20),
            snapshot_debounce: Duration::from_secs(1),
        }
    }
}
