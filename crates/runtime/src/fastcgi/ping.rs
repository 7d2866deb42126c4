//! Whether a pool answers: php-fpm's own ping (`ping.path` of the pool), which starts a worker of
//! an `ondemand` pool but runs no script.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

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
    fpm_ping_workers(socket, path, 1, wait).await
}

/// Asks `workers` workers of the pool at once, different ones.
pub async fn fpm_ping_workers(
    socket: &Path,
    path: &str,
    workers: usize,
    wait: Duration,
) -> Result<(), PingError> {
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
    let all = async {
        let mut exchanges = Vec::with_capacity(workers);
        for _ in 0..workers {
            exchanges.push(call.begin().await?);
        }
        if workers > 1 {
            // A worker that took one waits for the rest of it and takes no other.
            for exchange in &mut exchanges {
                exchange.announce().await.map_err(CallError::from)?;
            }
            for exchange in &mut exchanges {
                exchange.taken().await;
            }
        }
        for exchange in exchanges {
            let reply = call.answer(exchange).await?;
            if reply.body != "pong" {
                return Err(PingError::NotPong(reply.status.as_u16()));
            }
        }
        Ok(())
    };
    timeout(wait, all).await.map_err(|_| CallError::TimedOut(wait))?
}
