//! Whether a file system holds sites to their disks itself: by project quotas, proven by trying.
//!
//! A site's project has a number from the upper half of the 31 bits that all tools take, so that an
//! operator's own, which begin low, stay out of its way. It is made from the tenant's uid, and the
//! next one is taken where the kernel knows it already: by what it takes, or by a limit.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use aipress_kit::project_quota;
use aipress_kit::project_quota::Most;
use aipress_kit::project_quota::Project;
use aipress_kit::project_quota::Usage;
use aipress_types::TenantUid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use super::files::tree;
use crate::local::beneath;
use crate::uids::UnixIds;

/// The least number of a site's project.
pub(super) const FIRST: u32 = 1 << 30;
/// How many there are.
const COUNT: u32 = 1 << 30;
/// Numbers that are tried, one after the other.
const TRIES: u32 = 64;
/// What names of folders begin with in which it is tried; the number of a process follows.
const PROBE: &str = ".quota-";
/// Files and folders of the probe's project: itself and one file.
const PROBE_FILES: u64 = 2;

/// Why a file system holds nobody, and what would change that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoQuotas {
    /// Such as `tmpfs has no projects`.
    pub why: String,
    /// What an operator can do.
    pub remedy: String,
}

/// Whether the number is one of a site's.
pub(super) fn is_sites(id: u32) -> bool {
    (FIRST..FIRST + COUNT).contains(&id)
}

/// A number that nothing has, for this site.
pub(super) fn free_id(folder: &OwnedFd, uid: TenantUid) -> io::Result<u32> {
    let mut id = first_choice(uid);
    for _ in 0..TRIES {
        if project_quota::usage(folder, id)? == Usage::default() {
            return Ok(id);
        }
        id = following(id);
    }
    Err(io::Error::other("no number is free for a project: quotas of others have all of them"))
}

fn first_choice(uid: TenantUid) -> u32 {
    // The last bits of a uid are random in all of its versions.
    FIRST + (uid.0.as_u128() % u128::from(COUNT)) as u32
}

fn following(id: u32) -> u32 {
    FIRST + (id - FIRST + 1) % COUNT
}

/// Name of the folder's file system when it holds projects to their limits, which is tried in a
/// folder of its own there.
///
/// # Errors
/// [`NoQuotas`] says why it does not.
pub fn look(folder: &Path) -> Result<&'static str, NoQuotas> {
    let file_system = file_system(folder);
    if rustix::process::geteuid().as_raw() != 0 {
        return Err(no(file_system, "only root can set quotas", "run `make up` as root"));
    }
    let opened = beneath::open_dir(folder)
        .map_err(|error| no(file_system, &error.to_string(), "see that the folder is readable"))?;
    let project = project_quota::project(&opened)
        .map_err(|_| no(file_system, "it knows no projects", TAKE_ANOTHER))?;
    if project.inherits {
        let why = format!("the folder itself is held, as part of project {}", project.id);
        return Err(no(file_system, &why, "take a folder that no project quota is set on"));
    }
    if !project_quota::is_available() {
        return Err(no(file_system, "the kernel has no quotas", KERNEL));
    }
    match project_quota::is_enforced(&opened) {
        Ok(true) => {}
        Ok(false) => {
            return Err(no(
                file_system,
                "quotas of projects are not switched on",
                switch_on(file_system),
            ));
        }
        Err(error) => return Err(no(file_system, &error.to_string(), TAKE_ANOTHER)),
    }
    // Rights are a thread's own: this one gives up being held by no limit.
    let proven = std::thread::scope(|scope| {
        let tried = std::thread::Builder::new()
            .name("quota-probe".to_owned())
            .spawn_scoped(scope, || try_it(&opened))?;
        tried.join().map_err(|_| io::Error::other("the attempt panicked"))?
    });
    proven.map(|()| file_system).map_err(|error| {
        no(file_system, &format!("trying them failed: {error}"), switch_on(file_system))
    })
}

const TAKE_ANOTHER: &str = "put the data folder on ext4 with the features `project` and `quota`, \
                            mounted with `prjquota`, or on XFS mounted with `prjquota`";
const KERNEL: &str = "take a kernel with CONFIG_QUOTACTL, and CONFIG_QFMT_V2 for ext4 or \
                      CONFIG_XFS_QUOTA for XFS; then mount with `prjquota`";

fn switch_on(file_system: &str) -> &'static str {
    match file_system {
        "ext4" => {
            "while it is not mounted, `tune2fs -O project,quota -Q prjquota DEVICE`; then mount it \
             with `prjquota`"
        }
        "XFS" => "mount it with `prjquota` (from the start: a remount does not switch it on)",
        _ => TAKE_ANOTHER,
    }
}

fn no(file_system: &str, why: &str, remedy: &str) -> NoQuotas {
    NoQuotas { why: format!("{file_system}: {why}"), remedy: remedy.to_owned() }
}

/// Names as people know them (`linux/magic.h`).
fn file_system(folder: &Path) -> &'static str {
    match rustix::fs::statfs(folder).map(|found| found.f_type as u64 & 0xffff_ffff) {
        Ok(0xef53) => "ext4",
        Ok(0x5846_5342) => "XFS",
        Ok(0xf2f5_2010) => "F2FS",
        Ok(0x0102_1994) => "tmpfs",
        Ok(0x9123_683e) => "Btrfs",
        Ok(0x794c_7630) => "overlayfs",
        Ok(0x2fc1_2fc1) => "ZFS",
        _ => "this file system",
    }
}

/// Makes a project with room for itself and one file, and sees the second file refused.
fn try_it(folder: &OwnedFd) -> io::Result<()> {
    remove_left(folder)?;
    let mut rights = rustix::thread::capabilities(None)?;
    rights.effective.remove(CapabilitySet::SYS_RESOURCE);
    rustix::thread::set_capabilities(None, rights)?;
    let name = format!("{PROBE}{}", std::process::id());
    let (dir, _) = beneath::make_dir_at(folder, &name, UnixIds::current(), 0o700)?;
    let nonce = aipress_kit::random::bytes::<16>().map_err(io::Error::other)?;
    let id = free_id(&dir, TenantUid(uuid::Uuid::from_bytes(nonce)))?;
    let tried = try_in(&dir, id);
    let cleared = tree::remove(folder, OsStr::new(&name))
        .and_then(|_| project_quota::set_most(folder, id, Most::default()));
    tried.and(cleared)
}

fn try_in(dir: &OwnedFd, id: u32) -> io::Result<()> {
    project_quota::set_project(dir, Project { id, inherits: true })?;
    project_quota::set_most(dir, id, Most { bytes: 0, files: PROBE_FILES })?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let make = |name| rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600));
    let file = make("one")?;
    if project_quota::project(&file)?.id != id {
        return Err(io::Error::other("a file is of another project than its folder"));
    }
    if project_quota::usage(dir, id)?.files != PROBE_FILES {
        return Err(io::Error::other("what a project takes is not counted"));
    }
    match make("two") {
        Err(Errno::DQUOT | Errno::NOSPC) => Ok(()),
        Err(errno) => Err(errno.into()),
        Ok(_) => Err(io::Error::other("a project went over its limit")),
    }
}

/// Removes what attempts left that were killed.
fn remove_left(folder: &OwnedFd) -> io::Result<()> {
    for name in beneath::names(folder)? {
        let process = name.to_str().and_then(|name| name.strip_prefix(PROBE));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let dir = beneath::open_dir_at(folder, &name.to_string_lossy())?;
            let id = project_quota::project(&dir).map_or(0, |project| project.id);
            tree::remove(folder, &name)?;
            if is_sites(id) {
                project_quota::set_most(folder, id, Most::default())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_half_and_differ() {
        let uid = |last: u128| TenantUid(uuid::Uuid::from_u128((7 << 64) | last));
        assert_eq!(first_choice(uid(0)), FIRST);
        assert_eq!(first_choice(uid(u128::from(COUNT) - 1)), i32::MAX as u32);
        assert_eq!(first_choice(uid(u128::from(COUNT) + 5)), FIRST + 5);
        assert_eq!(following(i32::MAX as u32), FIRST, "after the last comes the first");
        assert!(is_sites(FIRST) && is_sites(i32::MAX as u32));
        assert!(!is_sites(0) && !is_sites(FIRST - 1) && !is_sites(1 << 31));
    }

    #[test]
    fn a_file_system_without_quotas_says_which_and_what_to_do() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let no = look(dir.path()).unwrap_err();
        assert!(no.why.starts_with("tmpfs: "), "{no:?}");
        if UnixIds::current().uid == 0 {
            assert!(no.remedy.contains("prjquota"), "{no:?}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn the_remedy_is_the_file_systems_own() {
        assert!(
            switch_on("ext4").starts_with("while it is not mounted, `tune2fs -O project,quota")
        );
        assert!(switch_on("XFS").contains("a remount does not"));
        assert!(switch_on("overlayfs").contains("put the data folder on ext4"));
    }
}
