//! Cuts the beginning of a log that somebody is appending to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use crate::unit::LogFile;

/// Looked at after the cut for the end of its last line, bytes.
const LINE_END_MAX_BYTES: u64 = 64 << 10;

/// Moves the beginning of the log to `NAME.1`, `NAME.1` to `NAME.2` and so on.
/// Returns how many bytes were cut off the front.
pub(super) fn rotate(log: &LogFile) -> io::Result<u64> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default())
        .open(&log.path)?;
    let metadata = file.metadata()?;
    let (size, block) = (metadata.len(), metadata.blksize().max(1));
    // Only whole blocks can be cut from the front.
    let cut = size - size % block;
    shift(log)?;
    copy_lines(&mut file, log, cut, size)?;
    if cut > 0 && cut < size {
        let collapsed = rustix::fs::fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, cut);
        if collapsed.is_ok() {
            return Ok(cut);
        }
    }
    // Emptying is all that other file systems offer; first what was not copied yet.
    let copied = line_end(&mut file, cut, size)?;
    append_rest(&mut file, log, copied)?;
    let size = file.metadata()?.len();
    file.set_len(0)?;
    Ok(size)
}

fn older(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn shift(log: &LogFile) -> io::Result<()> {
    for number in (1..log.keep).rev() {
        match fs::rename(older(&log.path, number), older(&log.path, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Copies what is cut, to the end of its last line, at most `max_bytes` of it.
fn copy_lines(file: &mut File, log: &LogFile, cut: u64, size: u64) -> io::Result<()> {
    if log.keep == 0 {
        return Ok(());
    }
    let end = line_end(file, cut, size)?;
    let start = end.saturating_sub(log.max_bytes);
    // A new file, never one that a unit's user may have put there.
    let first = older(&log.path, 1);
    match fs::remove_file(&first) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o640).open(first)?;
    file.seek(SeekFrom::Start(start))?;
    io::copy(&mut file.take(end - start), &mut to)?;
    Ok(())
}

/// Where the line ends that runs over `cut`; `cut` itself for an endless one.
fn line_end(file: &mut File, cut: u64, size: u64) -> io::Result<u64> {
    if cut == 0 {
        return Ok(0);
    }
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(cut - 1))?;
    file.take((size - cut + 1).min(LINE_END_MAX_BYTES)).read_to_end(&mut text)?;
    let end = text.iter().position(|byte| *byte == b'\n').map(|at| cut + at as u64);
    Ok(end.unwrap_or(cut))
}

fn append_rest(file: &mut File, log: &LogFile, from: u64) -> io::Result<()> {
    if log.keep == 0 {
        return Ok(());
    }
    let mut to = OpenOptions::new().append(true).open(older(&log.path, 1))?;
    file.seek(SeekFrom::Start(from))?;
    io::copy(&mut file.take(log.max_bytes), &mut to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Every line is whole in the one file or the other, whatever the file system can do.
    #[test]
    fn no_line_is_lost_and_the_number_of_files_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let log = LogFile { path: dir.path().join("log"), max_bytes: 40_000, keep: 2 };
        let mut writer = OpenOptions::new().append(true).create(true).open(&log.path).unwrap();
        let mut number = 0;
        for _ in 0..2 {
            while writer.metadata().unwrap().len() <= log.max_bytes {
                writeln!(writer, "this is line {number} of it").unwrap();
                number += 1;
            }
            rotate(&log).unwrap();
            assert!(fs::metadata(&log.path).unwrap().len() < 8192);
        }
        writeln!(writer, "still written").unwrap();
        let all = read(&older(&log.path, 2))
            + "\n"
            + &read(&older(&log.path, 1))
            + "\n"
            + &read(&log.path);
        let lines: std::collections::HashSet<&str> = all.lines().collect();
        for line in 0..number {
            assert!(lines.contains(format!("this is line {line} of it").as_str()), "line {line}");
        }
        assert!(lines.contains("still written"));
        rotate(&log).unwrap();
        assert!(!older(&log.path, 3).exists());
    }

    #[test]
    fn of_a_flood_only_the_end_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let log = LogFile { path: dir.path().join("log"), max_bytes: 10_000, keep: 1 };
        fs::write(&log.path, "0123456789abcde\n".repeat(100_000) + "the end\n").unwrap();
        rotate(&log).unwrap();
        let kept = fs::metadata(older(&log.path, 1)).unwrap().len();
        assert!(kept <= 2 * log.max_bytes, "{kept}");
        assert!((read(&older(&log.path, 1)) + &read(&log.path)).contains("the end\n"));
    }

    #[test]
    fn without_older_files_it_is_only_cut() {
        let dir = tempfile::tempdir().unwrap();
        let log = LogFile { path: dir.path().join("log"), max_bytes: 10_000, keep: 0 };
        fs::write(&log.path, "0123456789abcde\n".repeat(1000)).unwrap();
        rotate(&log).unwrap();
        assert!(fs::metadata(&log.path).unwrap().len() < 8192);
        assert!(!older(&log.path, 1).exists());
    }
}
