//! Open loop: requests leave at a constant rate whatever became of those before, and a latency
//! counts from when its request was due. A server that stalls is thus charged for all who would
//! have come meanwhile (coordinated omission).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;

use super::Connection;
use super::Target;

/// The timer wakes within a millisecond; the rest is waited for awake, on the client's own core.
const AWAKE: Duration = Duration::from_micros(1_500);
/// Requests under way at most; more means that the rate is far beyond what the server does.
const UNDER_WAY: usize = 512;

/// Latencies in milliseconds of `count` requests at `rate` a second.
pub(crate) async fn open_loop(
    target: &Target,
    rate: f64,
    count: usize,
) -> anyhow::Result<Vec<f64>> {
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    // Connections are there before the first request is due.
    for _ in 0..4 {
        let connection = Connection::open(target.address).await?;
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
    let begin = Instant::now() + Duration::from_millis(5);
    let mut tasks = Vec::with_capacity(count);
    let permits = Arc::new(tokio::sync::Semaphore::new(UNDER_WAY));
    for number in 0..count {
        let due = begin + Duration::from_secs_f64(number as f64 / rate);
        wait(due).await;
        let permit = Arc::clone(&permits)
            .try_acquire_owned()
            .with_context(|| format!("{UNDER_WAY} requests are under way at {rate:.1}/s"))?;
        let (target, idle) = (target.clone(), Arc::clone(&idle));
        tasks.push(aipress_kit::tasks::spawn("bench-open-loop", async move {
            let at_hand = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match at_hand.filter(Connection::is_usable) {
                Some(connection) => connection,
                None => Connection::open(target.address).await?,
            };
            connection.expect(&target).await?;
            let latency = due.elapsed();
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(permit);
            anyhow::Ok(latency.as_secs_f64() * 1000.0)
        }));
    }
    let mut latencies = Vec::with_capacity(count);
    for task in tasks {
        latencies.push(task.await?.context("a client's task panicked")??);
    }
    Ok(latencies)
}

async fn wait(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if left > AWAKE {
        tokio::time::sleep(left - AWAKE).await;
    }
    while Instant::now() < due {
        tokio::task::yield_now().await;
    }
}
