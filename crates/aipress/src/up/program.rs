//! The program that the roles run: this one, kept in the data folder.
//!
//! Roles run as users of their own, who need not be able to reach where this program was built or
//! unpacked (`/root` is closed to them); and what runs stays one build, though the file it came
//! from is built anew meanwhile.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use aipress_drivers::DataPaths;
use aipress_kit::random;
use anyhow::Context;

use crate::data;

/// Puts this program into the data folder, unless it is there.
///
/// # Errors
/// When it can't be read or written.
pub(super) fn keep(paths: &DataPaths) -> anyhow::Result<PathBuf> {
    let (own, kept) = (std::env::current_exe()?, paths.program());
    if same_build(&own, &kept) {
        return Ok(kept);
    }
    let new = kept.with_file_name(format!(".aipress-{}", random::alphanumeric(8)?));
    let placed = place(&own, &new).and_then(|()| fs::rename(&new, &kept));
    if placed.is_err() {
        // What was begun; the error that is told is the first one.
        let _ = fs::remove_file(&new);
    }
    placed.with_context(|| format!("keep the program as {}", kept.display()))?;
    Ok(kept)
}

/// Whether the running platform is of another build than this program.
pub(super) fn is_other_build(paths: &DataPaths) -> bool {
    std::env::current_exe().is_ok_and(|own| !same_build(&own, &paths.program()))
}

/// A link where that can be (nothing is copied), else a copy that has the same time.
fn place(own: &Path, new: &Path) -> std::io::Result<()> {
    match fs::hard_link(own, new) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
        Ok(()) if others_may_run(new) => return Ok(()),
        Ok(()) => fs::remove_file(new)?,
        Err(_) => {}
    }
    fs::copy(own, new)?;
    fs::set_permissions(new, PermissionsExt::from_mode(0o755))?;
    let modified = fs::metadata(own)?.modified()?;
    fs::File::options().write(true).open(new)?.set_modified(modified)
}

fn others_may_run(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.mode() & 0o005 == 0o005)
}

/// One file, or a copy of it: its length and its time, which a build changes.
fn same_build(own: &Path, kept: &Path) -> bool {
    let (Ok(own), Ok(kept)) = (fs::metadata(own), fs::metadata(kept)) else { return false };
    (own.dev(), own.ino()) == (kept.dev(), kept.ino())
        || own.len() == kept.len()
            && (own.mtime(), own.mtime_nsec()) == (kept.mtime(), kept.mtime_nsec())
}

/// Says which folder on the way to the data keeps the roles' users out, if one does.
///
/// # Errors
/// That folder, and what to do.
pub(super) fn check_reachable(paths: &DataPaths) -> anyhow::Result<()> {
    if !data::is_root() {
        return Ok(());
    }
    let closed = paths
        .root()
        .ancestors()
        .skip(1)
        .find(|folder| fs::metadata(folder).is_ok_and(|found| found.mode() & 0o001 == 0));
    let Some(closed) = closed else { return Ok(()) };
    anyhow::bail!(
        "{} is closed to other users, and the platform's roles and sites run as users of their \
         own: choose another data folder with --data (the default is /var/lib/aipress), or open \
         the way with `chmod o+x {}`",
        closed.display(),
        closed.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (tempfile::TempDir, DataPaths) {
        let dir = tempfile::Builder::new().prefix("aipress").tempdir_in("/tmp").unwrap();
        let paths = DataPaths::new(dir.path().join("data")).unwrap();
        fs::create_dir_all(paths.program().parent().unwrap()).unwrap();
        (dir, paths)
    }

    #[test]
    fn the_program_is_kept_once_and_others_may_run_it() {
        let (_dir, paths) = data();
        assert!(is_other_build(&paths));
        let kept = keep(&paths).unwrap();
        assert!(others_may_run(&kept) && !is_other_build(&paths));
        let first = fs::metadata(&kept).unwrap();
        keep(&paths).unwrap();
        assert_eq!(first.ino(), fs::metadata(&kept).unwrap().ino());
        let folder = kept.parent().unwrap().read_dir().unwrap();
        assert_eq!(folder.count(), 1, "nothing else stays");
    }

    #[test]
    fn another_build_replaces_it() {
        let (_dir, paths) = data();
        fs::write(paths.program(), "of yesterday").unwrap();
        assert!(is_other_build(&paths));
        let kept = keep(&paths).unwrap();
        assert!(same_build(&std::env::current_exe().unwrap(), &kept));
    }

    #[test]
    fn a_program_that_others_may_not_run_is_copied() {
        let (dir, paths) = data();
        let own = dir.path().join("own");
        fs::write(&own, "#!").unwrap();
        fs::set_permissions(&own, PermissionsExt::from_mode(0o700)).unwrap();
        place(&own, &paths.program()).unwrap();
        assert!(others_may_run(&paths.program()) && same_build(&own, &paths.program()));
        assert_eq!(fs::metadata(&own).unwrap().mode() & 0o777, 0o700);
    }
}
