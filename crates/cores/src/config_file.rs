//! Puts the platform's `wp-config.php` into a core, which has none of its own.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::error::CoreError;

/// The file's name in a core's folder.
pub(crate) const NAME: &str = "wp-config.php";

/// Writes `contents` as `core_dir/wp-config.php` (mode 0644), by one rename, so
/// that PHP reads the old text or the new one. Does nothing when the file
/// already has these contents, so its time stamp (which the opcode cache
/// watches) stays. Gives whether it was written.
///
/// # Errors
/// When the folder cannot be written.
pub fn install_config(core_dir: &Path, contents: &str) -> Result<bool, CoreError> {
    let path = core_dir.join(NAME);
    if std::fs::read(&path).is_ok_and(|old| old == contents.as_bytes()) {
        return Ok(false);
    }
    replace(&path, contents.as_bytes())?;
    Ok(true)
}

/// Replaces the file at `path` with `contents` (mode 0644) durably, by one rename.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> Result<(), CoreError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let failed = |action| CoreError::io(action, path);
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(dir)
        .map_err(failed("write"))?;
    file.write_all(contents).map_err(failed("write"))?;
    // The umask may have narrowed the mode above; slot users must read it.
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o644))
        .map_err(failed("set the mode of"))?;
    file.as_file().sync_all().map_err(failed("sync"))?;
    file.persist(path).map_err(|error| failed("replace")(error.error))?;
    std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(CoreError::io("sync", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_once_and_readable_by_all() {
        let core = tempfile::tempdir().expect("folder");
        assert!(install_config(core.path(), "<?php // 1\n").expect("first"));
        assert!(!install_config(core.path(), "<?php // 1\n").expect("same"));
        assert!(install_config(core.path(), "<?php // 2\n").expect("other"));
        let path = core.path().join(NAME);
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "<?php // 2\n");
        let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(
            std::fs::read_dir(core.path()).expect("list").count(),
            1,
            "nothing is left over"
        );
    }
}
