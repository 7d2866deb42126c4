//! A small disk of a test's own, which it may fill: an ext4 file system in a file.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

/// File in a platform's folder that is its disk.
const IMAGE: &str = "disk.img";
/// File on the disk that takes the space.
const FILLER: &str = "filler";
/// Where a disk alone is mounted, in its folder.
const MOUNTED: &str = "disk";

static MADE: AtomicU32 = AtomicU32::new(0);

/// A small disk that goes with the test.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
    mounted: PathBuf,
}

impl SmallDisk {
    /// An empty one of so many MiB that everybody may write to; `None` without root, which `test`
    /// is then said to lack.
    ///
    /// # Panics
    /// When root gets none: a machine for tests has loop devices and ext4.
    pub fn new(test: &str, mib: u64) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("{test} could not run: only root can mount a disk that is to be full");
            return None;
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("aipress-disk-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder for a disk");
        let mounted = folder.join(MOUNTED);
        mount(&folder, &mounted, mib);
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&mounted, everybody).expect("a disk for everybody");
        Some(Self { folder, mounted })
    }

    /// Its top folder.
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Takes all space but so many KiB.
    ///
    /// # Panics
    /// When the disk can't be read.
    pub fn fill(&self, but_kib: u64) {
        fill(&self.mounted, but_kib);
    }

    /// Gives the space back.
    pub fn free(&self) {
        free(&self.mounted);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.folder, &self.mounted);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

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
