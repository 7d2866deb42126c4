//! What a call to the world outside can end in.

use std::net::IpAddr;
use std::time::Duration;

/// Why a call brought no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// Not an absolute `http:` or `https:` address.
    #[error("`{0}` is no address such as https://example.org/path")]
    Url(String),
    /// The name has no address.
    #[error("{host} can't be resolved: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// The resolved address must not be connected to.
    #[error("{host} is at {address}, {reason}")]
    Refused {
        /// The name.
        host: String,
        /// What it resolved to.
        address: IpAddr,
        /// Why.
        reason: &'static str,
    },
    /// Nobody listens there.
    #[error("connect to {host}: {source}")]
    Connect {
        /// The name.
        host: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No secure connection: most often a certificate that is not valid for the name.
    #[error("no secure connection to {host}: {reason}")]
    Tls {
        /// The name.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing to check certificates against.
    #[error("{0}")]
    Authorities(String),
    /// The connection broke before the answer was whole.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// The name.
        host: String,
        /// What happened.
        reason: String,
    },
    /// Took too long.
    #[error("{host} took longer than {} ms", after.as_millis())]
    TimedOut {
        /// The name.
        host: String,
        /// The time that it had.
        after: Duration,
    },
    /// The answer is larger than wanted.
    #[error("the answer of {host} has more than {max_bytes} bytes")]
    TooLarge {
        /// The name.
        host: String,
        /// The bound.
        max_bytes: u64,
    },
    /// One redirect too many.
    #[error("redirected more than {limit} times")]
    Redirects {
        /// The bound.
        limit: u8,
    },
    /// A redirect to somewhere that is not followed.
    #[error("redirected to `{0}`, which is not followed")]
    RedirectedTo(String),
}

impl OutgoingError {
    /// Whether the very same call may succeed later: what is refused by rule stays refused.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Url(_) | Self::TooLarge { .. } | Self::RedirectedTo(_))
    }
}
