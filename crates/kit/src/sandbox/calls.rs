//! Calls of the kernel by seccomp (seccomp(2)): what no role has a use for is refused by `EPERM`.
//! Refused, because each has been a way from some rights to more, or is one from this process to
//! others: programs and processes, other processes' memory, namespaces and mounts, the kernel's
//! modules, keys and clocks, asynchronous calls that no filter sees, memory that is written and
//! executed, sockets of other families. Absent: a list of what is allowed; see the ADR.

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

/// Refused whatever their arguments are.
pub(super) const REFUSED: &[c_long] = &[
    // Programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_personality,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Namespaces, mounts, devices, files by number.
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
    libc::SYS_mknodat,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // The kernel itself.
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
    // Keys and memory that outlive a process.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
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

/// What only this processor's kernel has.
#[cfg(target_arch = "x86_64")]
pub(super) const REFUSED_HERE: &[c_long] = &[
    libc::SYS_mknod,
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_fork,
    libc::SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const REFUSED_HERE: &[c_long] = &[libc::SYS_kexec_file_load];

/// x32's calls have the numbers of x86-64's and this bit: a second name for each of the above.
const X32_BIT: u32 = 0x4000_0000;
/// What the kernel calls the actions that it knows.
const ACTIONS: &str = "/proc/sys/kernel/seccomp/actions_avail";

/// Whether the kernel has it.
pub(super) fn is_available() -> bool {
    fs::read_to_string(ACTIONS).is_ok_and(|text| text.split(' ').any(|word| word == "errno"))
}

/// Refuses the calls from here on, in all threads of this process.
pub(super) fn restrict(network: Network) -> Result<(), SandboxError> {
    let program = program(network).map_err(|error| SandboxError::Refused(error.to_string()))?;
    seccompiler::apply_filter_all_threads(&program)
        .map_err(|error| SandboxError::Refused(error.to_string()))
}

fn program(network: Network) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, vec![other_family(network)?]);
    // Threads, and nothing else that runs.
    rules
        .insert(libc::SYS_clone, vec![SeccompRule::new(vec![has(0, libc::CLONE_THREAD, false)?])?]);
    // Nothing is both written and executed, and nothing becomes executable that was written.
    let both = libc::PROT_WRITE | libc::PROT_EXEC;
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![has(2, both, true)?])?]);
    for call in [libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        rules.insert(call, vec![SeccompRule::new(vec![has(2, libc::PROT_EXEC, true)?])?]);
    }
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let here = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, here)?;
    let mut program = before();
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
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

/// A socket of a family that the role does not use.
fn other_family(network: Network) -> Result<SeccompRule, seccompiler::BackendError> {
    let used: &[i32] = match network {
        Network::Unix => &[libc::AF_UNIX],
        Network::Outgoing => &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6],
    };
    let not = |family: &i32| condition(0, SeccompCmpOp::Ne, *family as u64);
    SeccompRule::new(used.iter().map(not).collect::<Result<_, _>>()?)
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
