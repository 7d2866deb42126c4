//! A server that can't recover from a crash because a table's file is missing.
//!
//! InnoDB refuses to start when its redo log has changes of a file that is not there. One way there
//! needs no fault of anybody's: a `CREATE TABLE` on a full disk fails and takes its file away, and the
//! server dies before the next checkpoint. For want of one table that nobody was promised, fifty
//! sites would stay away until somebody comes. So the next start leaves such files out
//! (`innodb_force_recovery=1`, `SRV_FORCE_IGNORE_CORRUPT`: what is missing is skipped, nothing else is
//! different), and says which; the one after that is an ordinary one again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;

use super::spare::SPARE_PREFIX;

/// Read of the end of a server's log, bytes: a failed start writes some 10 KiB, and a line for each
/// table that it skips.
const TAIL_BYTES: u64 = 256 << 10;
/// Sites whose files may be missing: where more are, something else is wrong (a disk that is not
/// mounted, half a restore), and somebody must look before the server writes.
const SITES: usize = 1;
/// What InnoDB says when it gives up, and when it is up.
const GAVE_UP: &str = "Plugin initialization aborted";
const UP: &str = "ready for connections";

/// Files of tables without which the last start failed, as the server named them; none when it failed
/// for another reason, or did not.
pub(crate) fn missing_files(log: &Path) -> Vec<String> {
    // No log, no failed start.
    tail(log).map(|tail| named(&tail)).unwrap_or_default()
}

/// The end of the server's log.
pub(super) fn tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    Ok(String::from_utf8_lossy(&tail).into_owned())
}

fn named(tail: &str) -> Vec<String> {
    let since = tail.rfind(UP).map_or(tail, |at| &tail[at..]);
    if !since.contains(GAVE_UP) {
        return Vec::new();
    }
    let mut missing: Vec<String> =
        since.lines().filter_map(|line| missing_in(line, since)).collect();
    missing.sort();
    missing.dedup();
    let sites: BTreeSet<&str> = missing.iter().map(|file| database_of(file)).collect();
    let sites = sites.iter().filter(|name| !name.starts_with(SPARE_PREFIX)).count();
    if sites > SITES { Vec::new() } else { missing }
}

/// The file that is missing by a line of the server's, and is not merely damaged.
fn missing_in(line: &str, log: &str) -> Option<String> {
    if let Some((_, rest)) = line.split_once("of corrupted file '") {
        let file = rest.split_once('\'')?.0;
        return log.contains(&format!("File {file} was not found")).then(|| file.to_owned());
    }
    let (before, file) = line.split_once(" was not found at ")?;
    before.contains("InnoDB: Tablespace").then(|| file.trim_end_matches('.').to_owned())
}

/// The database's folder, of a path such as `./t_1/wp_options.ibd`.
fn database_of(file: &str) -> &str {
    file.trim_start_matches("./").split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &str = "\
2026-11-21 20:41:07 0 [Note] InnoDB: End of log at LSN=3962737
2026-11-21 20:41:07 0 [ERROR] InnoDB: File ./aipress_spare_x/wp_options.ibd was not found
2026-11-21 20:41:07 0 [ERROR] InnoDB: Operating system error number 2 in a file operation.
2026-11-21 20:41:07 0 [ERROR] InnoDB: Cannot apply log to [page id: space=156, page number=0] of corrupted file './aipress_spare_x/wp_options.ibd'
2026-11-21 20:41:07 0 [ERROR] InnoDB: Plugin initialization aborted with error Data structure corruption
";

    #[test]
    fn only_a_start_that_failed_for_a_missing_file_counts() {
        assert_eq!(named(FAILED), ["./aipress_spare_x/wp_options.ibd"]);
        assert_eq!(named(&FAILED.repeat(3)), ["./aipress_spare_x/wp_options.ibd"]);
        let up = "[Note] /usr/sbin/mariadbd: ready for connections.\n";
        assert!(named(&format!("{FAILED}{up}")).is_empty(), "it came up since");
        assert!(!named(&format!("{up}{FAILED}")).is_empty());
        // A file that is there and damaged is somebody's data: that is not skipped.
        let damaged = FAILED.replace("was not found", "is damaged");
        assert!(named(&damaged).is_empty());
        assert!(named("").is_empty());
    }

    #[test]
    fn a_file_that_somebody_took_away_counts_and_those_of_many_sites_do_not() {
        let lost = |number: u32| {
            format!(
                "[ERROR] InnoDB: Tablespace 78 was not found at ./t_{number}/lost.ibd.\n\
                 [ERROR] InnoDB: Set innodb_force_recovery=1 to ignore this.\n\
                 [ERROR] InnoDB: Plugin initialization aborted with error Tablespace not found\n"
            )
        };
        assert_eq!(named(&lost(1)), ["./t_1/lost.ibd"]);
        assert_eq!(named(&format!("{FAILED}{}", lost(1))).len(), 2, "a spare is no site");
        assert!(named(&format!("{}{}", lost(1), lost(2))).is_empty());
    }
}
