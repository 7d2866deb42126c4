//! Closed loop: so many connections, each asking again as soon as it is answered.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;

use super::Connection;
use super::Target;

/// Requests a second with `connections` busy. What ends in the first `warm` is not counted, so
/// that the window begins and ends with the same number of requests under way.
pub(crate) async fn saturate(
    target: &Target,
    connections: usize,
    warm: Duration,
    window: Duration,
) -> anyhow::Result<f64> {
    let begin = Instant::now() + warm;
    let end = begin + window;
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let target = target.clone();
            aipress_kit::tasks::spawn("bench-saturation", async move {
                let mut connection = Connection::open(target.address).await?;
                let mut counted = 0_u64;
                while Instant::now() < end {
                    connection.expect(&target).await?;
                    let now = Instant::now();
                    counted += u64::from(now >= begin && now < end);
                }
                anyhow::Ok(counted)
            })
        })
        .collect();
    let mut counted = 0;
    for task in tasks {
        counted += task.await?.context("a client's task panicked")??;
    }
    Ok(counted as f64 / window.as_secs_f64())
}
