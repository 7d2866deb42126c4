//! Why a server ended, in words for whoever runs the platform: its exit code says nothing, and its
//! log says it among hundreds of lines.

use std::path::Path;

use super::recovery;

/// In what the server says first at each start, whatever its version.
const BEGUN: &str = " as process ";
/// What it says when it can't use its files any more.
const DAMAGED: [&str; 4] = [
    "Plugin initialization aborted",
    "registration as a STORAGE ENGINE failed",
    "Database page corruption on disk",
    "Unknown/unsupported storage engine",
];
/// What it says when there is no room.
const FULL: [&str; 4] =
    ["No space left on device", "Errcode: 28", "error number 28", "Disk is full writing"];
/// Longest part of a line that is quoted, bytes.
const QUOTED: usize = 200;

/// Looks at the end of the server's log; `None` when it has nothing to say about an end.
pub fn why_ended(log: &Path) -> Option<String> {
    recovery::tail(log).ok().and_then(|tail| why(&tail))
}

fn why(tail: &str) -> Option<String> {
    let since = tail.rfind(BEGUN).map_or(tail, |at| &tail[at..]);
    let has = |words: &[&str]| words.iter().any(|word| since.contains(word));
    if has(&FULL) {
        return Some("its disk is full: make room, it is started again by itself".to_owned());
    }
    let first = since.lines().find_map(|line| line.split_once("[ERROR] ").map(|(_, said)| said));
    let said: String = first?.trim().chars().take(QUOTED).collect();
    Some(match has(&DAMAGED) {
        true => format!(
            "its data can't be used ({said}) and is left as it is: bring the shard's mariadb/data \
             back from a copy (see Backup in docs/RUNNING.md)"
        ),
        false => said,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "[Note] Starting MariaDB 10.11 source revision x as process 1\n[ERROR] InnoDB: an older one\n";

    #[test]
    fn only_the_last_start_counts_and_its_first_error_is_quoted() {
        let start = "[Note] Starting MariaDB 10.11 source revision x as process 2\n2026-11-21 [Note] fine\n";
        assert_eq!(why(&format!("{BEFORE}{start}")), None);
        let damaged = "2026 0 [ERROR] InnoDB: header is bad\n2026 0 [ERROR] Plugin 'InnoDB' \
                       registration as a STORAGE ENGINE failed.\n";
        let said = why(&format!("{BEFORE}{start}{damaged}")).unwrap();
        assert!(said.starts_with("its data can't be used (InnoDB: header is bad)"), "{said}");
        let full = "[Warning] Disk is full writing './binlog.000001' (Errcode: 28)\n";
        assert!(why(&format!("{start}{full}")).unwrap().starts_with("its disk is full"));
        let other = "[ERROR] Can't start server: Bind on unix socket\n";
        assert_eq!(
            why(&format!("{start}{other}")).unwrap(),
            "Can't start server: Bind on unix socket"
        );
    }
}
