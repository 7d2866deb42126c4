//! A small disk of a platform's own, which a test may fill: an ext4 file system in a file.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

/// File in a platform's folder that is its disk.
const IMAGE: &str = "disk.img";
/// File on the disk that takes the space.
const FILLER: &str = "filler";

/// Makes `mount` a disk of so many MiB.
///
/// # Panics
/// When the machine gives none (it takes root and a loop device).
pub(crate) fn mount(folder: &Path, mount: &Path, mib: u64) {
    let image = folder.join(IMAGE);
    let file = File::create(&image).expect("a file for a disk");
    file.set_len(mib << 20).expect("a sparse file");
    // No blocks kept for root: the platform's own roles are to meet the end of the disk, too.
    let made = run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image));
    assert!(made, "no file system in {}", image.display());
    fs::create_dir_all(mount).expect("a folder to mount at");
    let mounted = run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(mount));
    assert!(mounted, "{} can't be mounted", image.display());
}

/// Takes the disk of a platform away, if it has one.
pub(crate) fn unmount(folder: &Path, mount: &Path) {
    if folder.join(IMAGE).exists() {
        // Lazily: what still holds a file of a platform that failed must not keep it in the way.
        run(Command::new("umount").arg("--lazy").arg(mount));
    }
}

/// Takes all space but so many KiB.
///
/// # Panics
/// When the disk can't be read.
pub(crate) fn fill(mount: &Path, but_kib: u64) {
    let left = rustix::fs::statvfs(mount).expect("the disk");
    let free = left.f_bavail * left.f_frsize;
    let file = File::options().create(true).append(true).open(mount.join(FILLER));
    let length = free.saturating_sub(but_kib << 10);
    if let Ok(file) = file {
        let from = file.metadata().map_or(0, |it| it.len());
        let flags = rustix::fs::FallocateFlags::empty();
        // When somebody else takes the last of it meanwhile it is as full as it should be.
        let _ = rustix::fs::fallocate(&file, flags, from, length.max(1));
    }
}

/// Gives the space back.
pub(crate) fn free(mount: &Path) {
    let _ = fs::remove_file(mount.join(FILLER));
}

fn run(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
