//! Named tasks: the one place where the runtime's `spawn` is called, so that a panic is never
//! silent and a task can be told from another in the logs.

use std::future::Future;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Runs `future` as a task called `name`. A panic is logged with the task's name and ends the
/// task only; who needs more watches the handle.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<Option<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let span = tracing::debug_span!("task", name);
    let guarded = std::panic::AssertUnwindSafe(future).catch_unwind();
    tokio::spawn(
        async move {
            match guarded.await {
                Ok(output) => Some(output),
                Err(panic) => {
                    let text = panic
                        .downcast_ref::<String>()
                        .map(String::as_str)
                        .or_else(|| panic.downcast_ref::<&str>().copied())
                        .unwrap_or("no message");
                    tracing::error!(task = name, panic = text, "task panicked");
                    None
                }
            }
        }
        .instrument(span),
    )
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_panic_ends_its_task_only() {
        assert_eq!(super::spawn("fine", async { 7 }).await.unwrap(), Some(7));
        assert_eq!(super::spawn("bad", async { panic!("on purpose") }).await.unwrap(), None::<()>);
    }
}
