//! Waiting for something to become true, by looking, with a deadline.

use std::time::Duration;

use tokio::time::Instant;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks again and again until `look` finds something, and gives that.
///
/// # Panics
/// When it found nothing within `deadline`; `what` and the last complaint say what was missing.
pub async fn wait_until<T>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(complaint) if Instant::now() > end => {
                panic!("{what}: not within {deadline:?}: {complaint}")
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
