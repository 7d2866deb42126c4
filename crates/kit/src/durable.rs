//! Files that are whole or not there: written beside, synced, renamed into place.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

static WRITES: AtomicU64 = AtomicU64::new(0);

/// Replaces `path` by `contents` atomically and durably, with the permission bits `mode`. After
/// a crash the file is the old one or the new one, never a part.
///
/// # Errors
/// What the file system says; the old file is then untouched.
pub fn write(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let parent = path.parent().ok_or_else(|| io::Error::other("a path without a folder"))?;
    let name = path.file_name().ok_or_else(|| io::Error::other("a path without a name"))?;
    // Its own name for each write, so that two writers of one path never share a part.
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let beside =
        parent.join(format!(".{}.{}-{write}.new", name.to_string_lossy(), std::process::id()));
    let result = write_beside(&beside, contents, mode).and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result?;
    fs::File::open(parent)?.sync_all()
}

fn write_beside(beside: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(beside)?;
    // The umask took bits away at creation; say the mode again.
    fs::set_permissions(beside, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_testkit::SmallDisk;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode() {
        let dir = std::env::temp_dir().join(format!("aipress-durable-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("a");
        write(&path, b"one", 0o600).unwrap();
        write(&path, b"two", 0o640).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_beside_it() {
        let Some(disk) = SmallDisk::new("a full disk of records", 16) else { return };
        let path = disk.path().join("record");
        write(&path, b"old", 0o600).unwrap();
        disk.fill(8);
        let before = fs::read_dir(disk.path()).unwrap().count();
        let error = write(&path, &[b'x'; 1 << 20], 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), before, "half a file is left");
        disk.free();
        write(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
