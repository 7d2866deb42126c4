//! Project quotas, as the kernel has them: which project a file is of, what a project may take of its
//! file system and what it takes. Nothing is decided here.
//!
//! A project is a number that files carry. A folder that hands it on (`FS_XFLAG_PROJINHERIT`) gives
//! it to all that is made in it, and refuses by `EXDEV` what is moved or linked into it from another
//! project (rename(2), link(2)). Who has `CAP_SYS_RESOURCE` is held by no limit on ext4; XFS holds
//! root, too, and says `ENOSPC` where others say `EDQUOT`.
//!
//! Needs Linux 5.14 (`quotactl_fd(2)`: no device is looked for, the open file says which file system
//! is meant). Two kinds of calls that no library has words for are all that is unsafe here.

use std::io;
use std::mem::size_of;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;

use libc::c_long;
use rustix::ioctl::Getter;
use rustix::ioctl::Setter;
use rustix::ioctl::ioctl;
use rustix::ioctl::opcode;

/// `struct fsxattr` of `linux/fs.h`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    cow_extent_size: u32,
    padding: [u8; 8],
}

/// `FS_XFLAG_PROJINHERIT`.
const INHERIT: u32 = 0x0000_0200;
/// `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR`.
const GET_ATTRIBUTES: rustix::ioctl::Opcode = opcode::read::<Attributes>(b'X', 31);
const SET_ATTRIBUTES: rustix::ioctl::Opcode = opcode::write::<Attributes>(b'X', 32);

/// `PRJQUOTA` of `linux/quota.h`, whose commands carry the kind of quota in their last byte.
const PROJECTS: u32 = 2;
const GET_QUOTA: u32 = 0x0080_0007;
const SET_QUOTA: u32 = 0x0080_0008;
/// `Q_XGETQSTATV` of `linux/dqblk_xfs.h`, which all file systems with quotas answer.
const GET_STATE: u32 = ((b'X' as u32) << 8) + 8;

/// `struct if_dqblk` of `linux/quota.h`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Quota {
    blocks_hard: u64,
    blocks_soft: u64,
    bytes: u64,
    files_hard: u64,
    files_soft: u64,
    files: u64,
    bytes_time: u64,
    files_time: u64,
    valid: u32,
}

/// `QIF_BLIMITS` and `QIF_ILIMITS`: what a change is about.
const LIMITS: u32 = 1 | 4;
/// Limits are counted in these (`QIF_DQBLKSIZE`), in bytes.
const BLOCK: u64 = 1024;

/// `struct fs_quota_statv` of `linux/dqblk_xfs.h`: its version and flags, and the rest.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct State {
    version: i8,
    padding: u8,
    flags: u16,
    rest: [u32; 39],
}

/// `FS_QSTATV_VERSION1`, and the flag that limits of projects hold (`FS_QUOTA_PDQ_ENFD`).
const STATE_VERSION: i8 = 1;
const PROJECTS_HELD: u16 = 1 << 5;

const _: () = assert!(size_of::<Attributes>() == 28 && size_of::<State>() == 160);
const _: () = assert!(size_of::<Quota>() == 72, "as the kernel has it");

/// Which project a file is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Project {
    /// Its number; 0 is none.
    pub id: u32,
    /// Whether a folder gives it to what is made in it. No file does.
    pub inherits: bool,
}

impl Project {
    /// None.
    pub const NONE: Self = Self { id: 0, inherits: false };
}

/// What a project may take at most; 0 is as much as there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Most {
    /// Bytes on disk, a multiple of 1,024.
    pub bytes: u64,
    /// Files, folders, links.
    pub files: u64,
}

/// What a project takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on disk.
    pub bytes: u64,
    /// Files, folders, links.
    pub files: u64,
    /// What it may.
    pub most: Most,
}

/// The project of an open file or folder.
///
/// # Errors
/// `ENOTTY`, `EOPNOTSUPP` or the like where the file system knows no projects.
pub fn project(file: impl AsFd) -> io::Result<Project> {
    let found = attributes(&file)?;
    Ok(Project { id: found.project, inherits: found.flags & INHERIT != 0 })
}

/// Puts an open file or folder into a project.
///
/// # Errors
/// As [`project`]; `EDQUOT` or `ENOSPC` when it does not fit into the project any more.
pub fn set_project(file: impl AsFd, project: Project) -> io::Result<()> {
    let mut wanted = attributes(&file)?;
    wanted.project = project.id;
    wanted.flags = if project.inherits { wanted.flags | INHERIT } else { wanted.flags & !INHERIT };
    set_attributes(&file, wanted)
}

/// Whether the kernel has quotas at all, of whatever file system.
pub fn is_available() -> bool {
    // No file is open by this number: a kernel with quotas says that, and not that it has none.
    let nothing = call(-1, GET_STATE, 0, &mut Quota::default());
    nothing.is_err_and(|error| error.raw_os_error() != Some(libc::ENOSYS))
}

/// Whether limits of projects hold on the file system of this file.
///
/// # Errors
/// Of the kernel. That no quota of any kind is switched on is none.
pub fn is_enforced(file: impl AsFd) -> io::Result<bool> {
    let mut state = State { version: STATE_VERSION, padding: 0, flags: 0, rest: [0; 39] };
    match control(&file, GET_STATE, 0, &mut state) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(false),
        other => other.map(|()| state.flags & PROJECTS_HELD != 0),
    }
}

/// What a project takes of the file system of this file.
///
/// # Errors
/// Of the kernel; a project that nobody has heard of takes nothing.
pub fn usage(file: impl AsFd, id: u32) -> io::Result<Usage> {
    let mut found = Quota::default();
    match control(&file, GET_QUOTA, id, &mut found) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(Usage::default()),
        other => other?,
    }
    let most = Most { bytes: found.blocks_hard.saturating_mul(BLOCK), files: found.files_hard };
    Ok(Usage { bytes: found.bytes, files: found.files, most })
}

/// Sets what a project may take of the file system of this file. What it takes already stays.
///
/// # Errors
/// Of the kernel.
pub fn set_most(file: impl AsFd, id: u32, most: Most) -> io::Result<()> {
    let mut wanted = Quota {
        blocks_hard: most.bytes / BLOCK,
        files_hard: most.files,
        valid: LIMITS,
        ..Quota::default()
    };
    control(&file, SET_QUOTA, id, &mut wanted)
}

#[expect(unsafe_code, reason = "rustix has no function for this question")]
fn attributes(file: &impl AsFd) -> io::Result<Attributes> {
    // SAFETY: FS_IOC_FSGETXATTR writes one `struct fsxattr`, and nothing else happens.
    Ok(unsafe { ioctl(file.as_fd(), Getter::<GET_ATTRIBUTES, Attributes>::new()) }?)
}

#[expect(unsafe_code, reason = "rustix has no function for this change")]
fn set_attributes(file: &impl AsFd, wanted: Attributes) -> io::Result<()> {
    // SAFETY: FS_IOC_FSSETXATTR reads one `struct fsxattr`, and writes to no memory of ours.
    Ok(unsafe { ioctl(file.as_fd(), Setter::<SET_ATTRIBUTES, Attributes>::new(wanted)) }?)
}

fn control<T>(file: &impl AsFd, command: u32, id: u32, argument: &mut T) -> io::Result<()> {
    call(file.as_fd().as_raw_fd(), command, id, argument)
}

/// `quotactl_fd(2)`, about projects.
#[expect(unsafe_code, reason = "no library has this call")]
fn call<T>(file: RawFd, command: u32, id: u32, argument: &mut T) -> io::Result<()> {
    let command = (command << 8) | PROJECTS;
    let pointer: *mut T = argument;
    // SAFETY: the three commands of this module read or write one `Quota` or `State`, which are laid
    // out as the kernel's, and each is given its own.
    let done = unsafe {
        libc::syscall(
            libc::SYS_quotactl_fd,
            c_long::from(file),
            c_long::from(command),
            c_long::from(id),
            pointer,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_numbered_as_the_kernel_does() {
        // As `linux/fs.h` and `linux/quota.h` have them on x86-64 and arm64.
        assert_eq!((GET_ATTRIBUTES, SET_ATTRIBUTES), (0x801c_581f, 0x401c_5820));
        assert_eq!((GET_STATE << 8) | PROJECTS, 0x0058_0802);
        assert_eq!((SET_QUOTA << 8) | PROJECTS, 0x8000_0802);
    }

    #[test]
    fn a_file_system_without_projects_says_so() {
        // tmpfs has no projects in any kernel before 6.6, and no quotas of them in any.
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let folder = std::fs::File::open(dir.path()).unwrap();
        assert!(!is_enforced(&folder).unwrap());
        assert!(set_project(&folder, Project { id: 7, inherits: true }).is_err());
        let (found, id) = (project(&folder), 7);
        assert!(found.is_err() || found.unwrap().id != id, "nothing was set");
    }
}
