//! Whether a pool answers: php-fpm's own ping (`ping.path` of the pool), which starts a worker of
//! an `ondemand` pool but runs no script.

use std::{path::Path, time::Duration};

use bytes::Bytes;

use super::call::{Call, CallError};

/// Why a pool does not count as ready.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// The pool did not answer.
    #[error("ping php-fpm")]
    Call(#[from] CallError),
    /// Somebody else answered.
    #[error("the ping was answered with status {0} and not `pong`; check `ping.path` of the pool")]
    NotPong(u16),
}

/// Asks the pool behind `socket` for its `ping.path` (`path`, as in `/fpm-ping`).
pub async fn fpm_ping(socket: &Path, path: &str, wait: Duration) -> Result<(), PingError> {
    let params = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", path),
        ("SCRIPT_NAME", path),
        ("SCRIPT_FILENAME", path),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("QUERY_STRING", ""),
    ];
    let max_answer_bytes = 4096;
    let call = Call { socket, params: &params, stdin: Bytes::new(), wait, max_answer_bytes };
    let reply = call.send().await?;
    if reply.body == "pong" { Ok(()) } else { Err(PingError::NotPong(reply.status.as_u16())) }
}
