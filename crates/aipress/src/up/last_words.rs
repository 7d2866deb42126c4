//! What a role said when it gave up, for whoever asks why it ended: its exit code says nothing.

use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;

/// Read of the end of the log, bytes.
const TAIL_BYTES: u64 = 8 << 10;
/// Longest part that is told, characters.
const TOLD: usize = 300;

/// The words at the end of a role's log; `None` when its last line is of its ordinary ones, as that of
/// a role which was killed.
pub(super) fn of(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
    words(&String::from_utf8_lossy(&tail))
}

fn words(tail: &str) -> Option<String> {
    // A role's own lines are JSON; only the last word of all is not (`output::say_error`).
    let mut last = tail.lines().rev().take_while(|line| !line.starts_with('{'));
    let said = last.find_map(|line| line.strip_prefix("aipress: "))?;
    Some(said.trim().chars().take(TOLD).collect())
}

#[test]
fn only_what_was_said_last_is_told() {
    let line = "{\"message\":\"ready\"}\n";
    assert_eq!(words(line), None);
    assert_eq!(words(""), None);
    assert_eq!(words(&format!("{line}aipress: no room\n  hint\n")), Some("no room".to_owned()));
    assert_eq!(words(&format!("aipress: of yesterday\n{line}")), None, "it was killed since");
}
