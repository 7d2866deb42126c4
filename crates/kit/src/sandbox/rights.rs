//! What is left of root's rights (capabilities(7)) to those that stay root: a shard's control plane,
//! and php-fpm's masters, which become sites' users. The rest is gone for them and for all that they
//! start, because it is taken from the bounding set as well. With it calls of the kernel go
//! that they have no use for ([`super::calls`]), also those of the sites' users.
//!
//! php-fpm and commands in sites are other people's programs: this one becomes them by
//! [`EXEC_VERB`], as the last thing before.
//! Absent: Landlock, under which nobody mounts; commands in sites need that.

use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::process::ExitCode;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use rustix::thread::capabilities;
use rustix::thread::capability_is_in_bounding_set;
use rustix::thread::remove_capability_from_bounding_set;
use rustix::thread::set_capabilities;

use super::SandboxError;
use super::calls;
use super::calls::Whose;

/// The verb after which a program with its arguments stands, to be run with what sites' code may.
pub const EXEC_VERB: &str = "exec-confined";

/// What php-fpm's master does as root: sockets for the gateway, logs, workers of other users. And what
/// `setpriv` needs to take the last of it from a command.
const PHP: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP);

/// What a shard's control plane does besides: folders of all its sites, limits of their processes,
/// namespaces and mounts for their commands, quotas.
const CONTROL_PLANE: CapabilitySet = PHP
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SYS_ADMIN)
    .union(CapabilitySet::SYS_RESOURCE);

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Rights that nobody needs are gone for good. Without root there were none.
    pub rights: bool,
    /// Calls that nobody needs are refused.
    pub calls: bool,
}

/// Gives up what a shard's control plane has no use for, in this process and all that it starts. To
/// be called with one thread.
///
/// # Errors
/// When the kernel refuses what it has.
pub fn keep_control_plane() -> Result<Left, SandboxError> {
    let mut kept = CONTROL_PLANE;
    if hides_processes(&std::fs::read_to_string("/proc/self/mounts").unwrap_or_default()) {
        // Where the machine shows a process to its own user only, this right is what shows it.
        kept |= CapabilitySet::SYS_PTRACE;
    }
    leave(kept, Whose::ControlPlane)
}

/// Becomes the program that the words name, with what sites' code may. Returns only when it failed.
pub fn exec_confined(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut words = words.into_iter();
    let Some(program) = words.next() else {
        tell(&format!("{EXEC_VERB} is not for people: it needs a program"));
        return ExitCode::from(126);
    };
    if let Err(error) = leave(PHP, Whose::Sites) {
        tell(&format!("confine {}: {error}", program.display()));
        return ExitCode::from(126);
    }
    let error = Command::new(&program).args(words).exec();
    tell(&format!("run {}: {error}", program.display()));
    ExitCode::from(127)
}

/// On standard error; where that can't be written (a full disk) the exit code says it alone.
fn tell(words: &str) {
    let _ = writeln!(io::stderr(), "aipress: {words}");
}

fn leave(kept: CapabilitySet, whose: Whose) -> Result<Left, SandboxError> {
    let refused = |error: Errno| SandboxError::Refused(io::Error::from(error).to_string());
    let rights = keep(kept).map_err(refused)?;
    rustix::thread::set_no_new_privs(true).map_err(refused)?;
    let calls = calls::is_available();
    if calls {
        calls::restrict(whose)?;
    }
    Ok(Left { rights, calls })
}

/// Takes all other rights away, from what this process may become as well. `false` in a container
/// that does not let root give up its own.
fn keep(kept: CapabilitySet) -> Result<bool, Errno> {
    let now = capabilities(None)?;
    if now.permitted.is_empty() {
        // Somebody who is not root, and will not be: `no_new_privs`.
        return Ok(true);
    }
    let mut all_gone = true;
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(one) {
            Ok(true) if !kept.contains(one) => match remove_capability_from_bounding_set(one) {
                Err(Errno::PERM) => all_gone = false,
                done => done?,
            },
            // The kernel knows no more.
            Err(Errno::INVAL) => break,
            _ => {}
        }
    }
    let left = CapabilitySets {
        effective: now.effective & kept,
        permitted: now.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, left)?;
    Ok(all_gone)
}

/// Whether `/proc` shows a process to its own user only (`hidepid`, proc(5)).
fn hides_processes(mounts: &str) -> bool {
    let mut proc = mounts.lines().filter(|line| line.split(' ').nth(1) == Some("/proc"));
    proc.any(|line| line.contains("hidepid="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_hides_processes_is_known_by_its_mounts() {
        assert!(!hides_processes("proc /proc proc rw,nosuid 0 0\ntmpfs /tmp tmpfs hidepid=2 0 0"));
        assert!(hides_processes("proc /proc proc rw,nosuid,hidepid=invisible 0 0"));
    }
}
