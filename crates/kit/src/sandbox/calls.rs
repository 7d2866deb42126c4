//! Calls of the kernel by seccomp (seccomp(2)): what somebody has no use for is refused by `EPERM`.
//! Refused, because each has been a way from some rights to more, or is one from this process to
//! others: programs and processes, other processes' memory, namespaces and mounts, the kernel's
//! modules, keys and clocks, asynchronous calls that no filter sees, memory that is written and
//! executed, sockets of other families. A role of one process is refused most, who starts others
//! less ([`Whose`]). Absent: a list of what is allowed; see the ADR.

use std::collections::BTreeMap;
use std::fs;

use libc::c_long;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpArgLen;
use seccompiler::SeccompCmpOp;
use seccompiler::SeccompCondition;
use seccompiler::SeccompFilter;
use seccompiler::SeccompRule;
use seccompiler::TargetArch;
use seccompiler::sock_filter;

use super::Network;
use super::SandboxError;

/// Whose calls are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of a role that has no business but its own files and sockets.
    Role(Network),
    /// Those of a shard's control plane, and of what it starts: it mounts, and becomes other users.
    ControlPlane,
    /// Those of PHP and other programs in which sites' code runs.
    Sites,
}

/// What nobody here has a use for: other processes' memory, and the kernel itself.
const NOBODYS: &[c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_memfd_secret,
];

/// Namespaces, mounts, and programs that no `noexec` keeps from running: neither sites' nor roles'.
const MOUNTS: &[c_long] = &[
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_memfd_create,
    libc::SYS_personality,
    FILE_SETATTR,
];

/// `file_setattr(2)`, since Linux 6.17; the number is the same for all processors.
const FILE_SETATTR: c_long = 469;
/// Requests of `ioctl(2)` that change a file's flags, or whose project it is counted for: an owner
/// may, and a file that is in nobody's project has no limit (`linux/fs.h`; the second is the first
/// for 32 bits). Then those that type into a terminal for who reads it.
pub(super) const FILE_FLAGS: [u64; 5] = [
    0x4008_6602, // FS_IOC_SETFLAGS
    0x4004_6602, // FS_IOC32_SETFLAGS
    0x401c_5820, // FS_IOC_FSSETXATTR
    libc::TIOCSTI,
    libc::TIOCLINUX,
];

/// What a role of one process and one user has no use for.
const ROLES: &[c_long] = &[
    // Programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Devices and pipes with names.
    libc::SYS_mknodat,
    // Memory that outlives a process.
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    // Other users. It is the one that it stays.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
];

/// What only this processor's kernel has: nobody's, and what a role has no use for.
#[cfg(target_arch = "x86_64")]
const HERE: (&[c_long], &[c_long]) = (
    &[
        libc::SYS_kexec_file_load,
        libc::SYS_iopl,
        libc::SYS_ioperm,
        libc::SYS_modify_ldt,
        libc::SYS_uselib,
    ],
    &[libc::SYS_mknod, libc::SYS_fork, libc::SYS_vfork],
);
#[cfg(not(target_arch = "x86_64"))]
const HERE: (&[c_long], &[c_long]) = (&[libc::SYS_kexec_file_load], &[]);

/// Ways to a namespace of one's own, for `clone(2)`; `clone3(2)` is not there.
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// What is refused whatever its arguments are.
pub(super) fn refused(whose: Whose) -> Vec<c_long> {
    let (nobodys_here, roles_here) = HERE;
    let mut lists = vec![NOBODYS, nobodys_here];
    match whose {
        Whose::Role(_) => lists.extend([MOUNTS, ROLES, roles_here]),
        Whose::Sites => lists.push(MOUNTS),
        Whose::ControlPlane => {}
    }
    lists.concat()
}

/// x32's calls have the numbers of x86-64's and this bit: a second name for each of the above.
const X32_BIT: u32 = 0x4000_0000;
/// A socket's type, without the flags that share its word.
const SOCKET_TYPE: u64 = 0xf;
/// What the kernel calls the actions that it knows.
const ACTIONS: &str = "/proc/sys/kernel/seccomp/actions_avail";

/// Whether the kernel has it.
pub(super) fn is_available() -> bool {
    fs::read_to_string(ACTIONS).is_ok_and(|text| text.split(' ').any(|word| word == "errno"))
}

/// Refuses the calls from here on, in all threads of this process and in all that they start.
pub(super) fn restrict(whose: Whose) -> Result<(), SandboxError> {
    let program = program(whose).map_err(|error| SandboxError::Refused(error.to_string()))?;
    seccompiler::apply_filter_all_threads(&program)
        .map_err(|error| SandboxError::Refused(error.to_string()))
}

fn program(whose: Whose) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        refused(whose).into_iter().map(|call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, sockets(whose)?);
    match whose {
        Whose::Role(_) => one_process(&mut rules)?,
        Whose::Sites => {
            let one = |flag: &i32| SeccompRule::new(vec![has(0, *flag, true)?]);
            let namespaces = NAMESPACES.iter().map(one).collect::<Result<_, _>>()?;
            rules.insert(libc::SYS_clone, namespaces);
            let one =
                |request: &u64| SeccompRule::new(vec![condition(1, SeccompCmpOp::Eq, *request)?]);
            let requests = FILE_FLAGS.iter().map(one).collect::<Result<_, _>>()?;
            rules.insert(libc::SYS_ioctl, requests);
        }
        Whose::ControlPlane => {}
    }
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let here = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, here)?;
    let mut program = before();
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
}

/// Rules for a role that starts nothing and compiles nothing.
fn one_process(
    rules: &mut BTreeMap<c_long, Vec<SeccompRule>>,
) -> Result<(), seccompiler::BackendError> {
    // Threads, and nothing else that runs.
    rules
        .insert(libc::SYS_clone, vec![SeccompRule::new(vec![has(0, libc::CLONE_THREAD, false)?])?]);
    // Nothing is both written and executed, and nothing becomes executable that was written.
    let both = libc::PROT_WRITE | libc::PROT_EXEC;
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![has(2, both, true)?])?]);
    for call in [libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        rules.insert(call, vec![SeccompRule::new(vec![has(2, libc::PROT_EXEC, true)?])?]);
    }
    Ok(())
}

/// `clone3(2)` hides its flags from filters: it is not there, and the C library takes `clone(2)`. Then
/// the second names. What goes on gets to the rules.
fn before() -> BpfProgram {
    let statement = |code: u32, k: u32| jump(code, k, 0);
    vec![
        // The number of the call is the first word of what a filter sees.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        jump(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_clone3 as u32, 1),
        statement(libc::BPF_RET | libc::BPF_K, refusal(libc::ENOSYS)),
        jump(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, X32_BIT, 1),
        statement(libc::BPF_RET | libc::BPF_K, refusal(libc::EPERM)),
    ]
}

/// When it holds the next instruction, else so many are passed over.
fn jump(code: u32, k: u32, passed_over: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: passed_over, k }
}

fn refusal(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA)
}

/// Sockets of families that have no use, and raw ones, by which others' packets are seen and made.
fn sockets(whose: Whose) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let used: &[i32] = match whose {
        Whose::Role(Network::Unix) => &[libc::AF_UNIX],
        _ => &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6],
    };
    let not = |family: &i32| condition(0, SeccompCmpOp::Ne, *family as u64);
    let other = SeccompRule::new(used.iter().map(not).collect::<Result<_, _>>()?)?;
    let raw = condition(1, SeccompCmpOp::MaskedEq(SOCKET_TYPE), libc::SOCK_RAW as u64)?;
    Ok(vec![other, SeccompRule::new(vec![raw])?])
}

/// Whether all these bits of an argument are set, or none of them is.
fn has(argument: u8, bits: i32, set: bool) -> Result<SeccompCondition, seccompiler::BackendError> {
    let bits = bits as u64;
    condition(argument, SeccompCmpOp::MaskedEq(bits), if set { bits } else { 0 })
}

/// Flags and families are 32 bits wide.
fn condition(
    argument: u8,
    how: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)
}
