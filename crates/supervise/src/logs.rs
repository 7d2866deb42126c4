//! Keeps units' log files bounded, reads their ends, and forwards their lines.
//!
//! Units write to the file themselves (why: `process::open_log`), so a file is
//! rotated under the writer: its beginning is copied to `NAME.1` and cut off.
//! Where the file system can cut blocks from the front of a file
//! (`FALLOC_FL_COLLAPSE_RANGE`: ext4, xfs) nothing written meanwhile is lost;
//! elsewhere the file is emptied, and what was written between the copy and
//! the cut is lost. Every line is whole in one of the two files; the newer may
//! begin with the tail of the older's last line.
//!
//! Sizes are looked at every few seconds, sooner when a file grows fast. A
//! flood between two looks costs disk until the next one; of it at most
//! `max_bytes` are kept.

mod rotate;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::unit::{LogFile, Unit};

/// Between two looks at files that hardly grow.
const SLOWEST_LOOK: Duration = Duration::from_secs(5);
/// Between two looks at a file that is about to reach its size.
const FASTEST_LOOK: Duration = Duration::from_millis(200);
/// Between two looks for lines to forward.
const FORWARD_LOOK: Duration = Duration::from_millis(250);

/// Longest line that is forwarded or shown, bytes; the rest is cut off.
const LINE_MAX_BYTES: usize = 4 << 10;
/// Read at once for forwarding, bytes: what a unit writes faster than this
/// allows is skipped with a word about it.
const FORWARD_MAX_BYTES: u64 = 64 << 10;
/// Read for the last lines, bytes.
const TAIL_MAX_BYTES: u64 = 8 << 10;
/// How many last lines are shown.
const TAIL_LINES: usize = 10;

/// Takes the unit's name and one line of its output, without its end.
pub type LineSink = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// One file under watch.
struct Watched {
    unit: String,
    file: LogFile,
    size: u64,
    forwarded: u64,
}

/// Looks after the units' logs until it is dropped.
pub(crate) async fn look_after(units: &[Arc<Unit>], sink: Option<LineSink>) {
    let mut by_path = BTreeMap::new();
    for unit in units {
        let size = size_of(&unit.log.path);
        let (unit, file) = (unit.name.clone(), unit.log.clone());
        by_path.insert(file.path.clone(), Watched { unit, file, size, forwarded: size });
    }
    let mut watched: Vec<Watched> = by_path.into_values().collect();
    let mut last = Instant::now();
    let mut pause = FASTEST_LOOK;
    loop {
        tokio::time::sleep(pause).await;
        let since = last.elapsed();
        last = Instant::now();
        let sink = sink.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let pause = look(&mut watched, since, sink.as_ref());
            (watched, pause)
        });
        // Only a panic below ends this; the units go on without rotation.
        let Ok((again, next)) = looked.await else {
            tracing::error!("log rotation ended");
            return;
        };
        (watched, pause) = (again, next);
    }
}

fn look(watched: &mut [Watched], since: Duration, sink: Option<&LineSink>) -> Duration {
    let mut pause = if sink.is_some() { FORWARD_LOOK } else { SLOWEST_LOOK };
    for log in watched {
        if let Some(sink) = sink {
            forward(log, sink);
        }
        let size = size_of(&log.file.path);
        pause = pause.min(next_look(log.size, size, log.file.max_bytes, since));
        log.size = size;
        if size <= log.file.max_bytes {
            continue;
        }
        match rotate::rotate(&log.file) {
            Ok(cut) => {
                log.forwarded = log.forwarded.saturating_sub(cut);
                log.size = size_of(&log.file.path);
            }
            Err(error) => {
                tracing::warn!(path = %log.file.path.display(), %error, "rotate log");
            }
        }
    }
    pause
}

/// Half the time that the file needs, at the speed of the last `since`, to
/// reach its size.
fn next_look(before: u64, now: u64, max_bytes: u64, since: Duration) -> Duration {
    let grown = now.saturating_sub(before);
    let left = max_bytes.saturating_sub(now);
    if grown == 0 {
        return SLOWEST_LOOK;
    }
    let seconds = since.as_secs_f64() * (left as f64 / grown as f64) / 2.0;
    Duration::try_from_secs_f64(seconds).unwrap_or(SLOWEST_LOOK).clamp(FASTEST_LOOK, SLOWEST_LOOK)
}

fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Hands on the whole lines written since the last look.
fn forward(log: &mut Watched, sink: &LineSink) {
    let size = size_of(&log.file.path);
    if size < log.forwarded {
        log.forwarded = 0;
    }
    if size - log.forwarded > FORWARD_MAX_BYTES {
        let skipped = size - log.forwarded - FORWARD_MAX_BYTES;
        sink(&log.unit, &format!("({skipped} bytes not shown, see {})", log.file.path.display()));
        log.forwarded += skipped;
    }
    let Ok(text) = read_at(&log.file.path, log.forwarded, size - log.forwarded) else { return };
    // A line without an end waits, unless it fills everything.
    let whole = match text.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if text.len() as u64 == FORWARD_MAX_BYTES => text.len(),
        None => return,
    };
    let Some(lines) = text.get(..whole) else { return };
    log.forwarded += whole as u64;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        sink(&log.unit, &printable(line));
    }
}

/// The last lines of a log, for messages about its unit.
pub(crate) fn tail(path: &Path) -> Vec<String> {
    let size = size_of(path);
    let from = size.saturating_sub(TAIL_MAX_BYTES);
    let Ok(text) = read_at(path, from, TAIL_MAX_BYTES) else { return Vec::new() };
    let mut lines: Vec<String> = text
        .split(|byte| *byte == b'\n')
        .skip(usize::from(from > 0))
        .map(printable)
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines.split_off(lines.len().saturating_sub(TAIL_LINES))
}

fn read_at(path: &Path, from: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    Ok(text)
}

/// A line as text without control characters (a terminal would obey them).
fn printable(line: &[u8]) -> String {
    let line = line.get(..LINE_MAX_BYTES).unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    text.trim_end().chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn looks_sooner_the_faster_a_file_grows() {
        let second = Duration::from_secs(1);
        assert_eq!(next_look(100, 100, 1000, second), SLOWEST_LOOK);
        assert_eq!(next_look(0, 100, 1000, second), Duration::from_millis(4500));
        assert_eq!(next_look(0, 900, 1000, second), FASTEST_LOOK);
        assert_eq!(next_look(0, 2000, 1000, second), FASTEST_LOOK);
        assert_eq!(next_look(0, 1, u64::MAX, second), SLOWEST_LOOK);
    }

    #[test]
    fn the_tail_is_short_and_harmless() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert!(tail(&path).is_empty());
        let mut text = String::new();
        for line in 0..5000 {
            text += &format!("line {line}\n");
        }
        std::fs::write(&path, text + "\x1b[31mred\n\n").unwrap();
        let lines = tail(&path);
        assert_eq!(lines.len(), TAIL_LINES);
        assert_eq!(lines[TAIL_LINES - 2..], ["line 4999".to_owned(), " [31mred".to_owned()]);
    }

    #[test]
    fn only_whole_lines_are_forwarded_and_each_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = File::create(&path).unwrap();
        let mut log =
            Watched { unit: "u".into(), file: LogFile::new(&path), size: 0, forwarded: 0 };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = seen.clone();
        let sink: LineSink = Arc::new(move |unit, line| {
            into.lock().unwrap().push(format!("{unit}: {line}"));
        });
        file.write_all(b"one\ntw").unwrap();
        forward(&mut log, &sink);
        file.write_all(b"o\n").unwrap();
        forward(&mut log, &sink);
        forward(&mut log, &sink);
        assert_eq!(*seen.lock().unwrap(), ["u: one", "u: two"]);
        file.write_all(&vec![b'x'; FORWARD_MAX_BYTES as usize * 2]).unwrap();
        forward(&mut log, &sink);
        let seen = seen.lock().unwrap();
        assert!(seen[2].contains("bytes not shown"));
        assert_eq!(seen[3].len(), "u: ".len() + LINE_MAX_BYTES);
    }
}
