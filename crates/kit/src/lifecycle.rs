//! The life of a role: the first signal drains, the second or the time-out cuts.

use std::time::Duration;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;

/// How long a role may take to finish what it has begun once it was asked to stop.
pub const DRAIN: Duration = Duration::from_secs(10);

/// The two tokens that everything in a role listens to.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// Cancelled when the role should take nothing new.
    pub drain: CancellationToken,
    /// Cancelled when the role should stop in the middle.
    pub cut: CancellationToken,
}

impl Lifecycle {
    /// A lifecycle that only its tokens end; for tests and embedding.
    pub fn manual() -> Self {
        Self::default()
    }

    /// A lifecycle that SIGTERM and SIGINT end.
    ///
    /// # Errors
    /// When the signal handlers can't be installed.
    pub fn from_signals() -> std::io::Result<Self> {
        let lifecycle = Self::default();
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let (drain, cut) = (lifecycle.drain.clone(), lifecycle.cut.clone());
        crate::tasks::spawn("signals", async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            drain.cancel();
            tokio::select! {
                _ = term.recv() => {}, _ = int.recv() => {},
                () = tokio::time::sleep(DRAIN) => {}
            }
            cut.cancel();
        });
        Ok(lifecycle)
    }
}
