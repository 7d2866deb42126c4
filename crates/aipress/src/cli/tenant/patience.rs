//! What exports and imports share: how long a line that breaks is borne with, and how Ctrl-C ends
//! them.

use std::io;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::exit::Failure;
use crate::exit::INTERRUPTED;

/// Times in a row that a connection may break without a byte in between: with the pauses, two
/// minutes, in which a platform is started again.
const BREAKS: u32 = 26;
/// The first pause, doubled to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The status of who was told to end (`128 + SIGTERM`).
const TERMINATED: u8 = 143;

/// How often in a row a line broke.
#[derive(Debug, Default)]
pub(super) struct Patience {
    breaks: u32,
}

impl Patience {
    /// Something arrived.
    pub(super) fn renew(&mut self) {
        self.breaks = 0;
    }

    /// Waits before the next try; `false` when there should be none.
    pub(super) async fn wait(&mut self) -> bool {
        self.breaks += 1;
        if self.breaks > BREAKS {
            return false;
        }
        tokio::time::sleep(PAUSE.saturating_mul(1 << (self.breaks - 1).min(8)).min(PAUSE_MAX))
            .await;
        true
    }
}

/// Ctrl-C and being told to end, from when this is made: what is half made can be removed.
#[derive(Debug)]
pub(super) struct Interrupts {
    interrupted: Signal,
    terminated: Signal,
}

impl Interrupts {
    /// From now on they end nothing by themselves.
    ///
    /// # Errors
    /// When the system takes no handler.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupted: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
        })
    }

    /// Does the work, or gives it up where it waits.
    pub(super) async fn or<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            _ = self.interrupted.recv() => Err(Failure::Status(INTERRUPTED)),
            _ = self.terminated.recv() => Err(Failure::Status(TERMINATED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_that_breaks_is_borne_with_for_two_minutes() {
        let mut patience = Patience::default();
        let begun = tokio::time::Instant::now();
        while patience.wait().await {}
        let waited = begun.elapsed().as_secs();
        assert!((110..130).contains(&waited), "{waited} s");
        patience.renew();
        assert!(patience.wait().await);
    }
}
