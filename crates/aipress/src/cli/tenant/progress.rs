//! How far a transfer is: one line on a terminal's standard error, nothing elsewhere.

use std::io::IsTerminal;
use std::time::Duration;
use std::time::Instant;

use crate::output;

/// Between two looks of a person.
const INTERVAL: Duration = Duration::from_millis(200);

/// A line that moves.
pub(super) struct Meter {
    word: &'static str,
    on: bool,
    begun: Instant,
    shown: Option<Instant>,
}

impl Meter {
    pub(super) fn new(word: &'static str) -> Self {
        Self { word, on: std::io::stderr().is_terminal(), begun: Instant::now(), shown: None }
    }

    /// So many bytes are done, of so many where that is known.
    pub(super) fn show(&mut self, bytes: u64, total: Option<u64>) {
        if !self.on || self.shown.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        self.shown = Some(Instant::now());
        output::put(&format!("\r\x1b[K{}", self.line(bytes, total)));
    }

    /// Takes the line away.
    pub(super) fn end(&mut self, _bytes: u64) {
        if self.shown.is_some() {
            output::put("\r\x1b[K");
        }
    }

    fn line(&self, bytes: u64, total: Option<u64>) -> String {
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let rate = (bytes as f64 / seconds) as u64;
        let of = total.map(|total| format!(" of {}", size(total))).unwrap_or_default();
        format!("{}{of} {}, {}/s", size(bytes), self.word, size(rate))
    }
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_few_digits() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_234_567), "1234 kB");
        assert_eq!(size(1_234_567_890), "1234 MB");
    }
}
