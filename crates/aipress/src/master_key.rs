//! The master key that an operator gives by a variable, so that it is on no disk: taken out of the
//! process's environment before anything else happens, and handed on to meta only. What
//! `/proc/PID/environ` shows is memory of the process (proc(5)): overwriting the variable there is what
//! removes it, also for programs that this one starts.
//!
//! Absent: the operator's own shell, and the moment between a process's start and this.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use aipress_types::Secret;

/// Variable that may hold the master key (64 hex digits) instead of a file.
pub(crate) const VARIABLE: &str = "AIPRESS_MASTER_KEY";

static GIVEN: OnceLock<Secret> = OnceLock::new();

/// Takes the key from the environment. Called with one thread, before anything reads variables.
///
/// # Errors
/// When it can't be removed from there; it is taken all the same.
pub(crate) fn take() -> io::Result<()> {
    let Ok(key) = std::env::var(VARIABLE) else { return Ok(()) };
    // Nobody else sets it.
    let _ = GIVEN.set(Secret::new(key));
    remove()
}

/// The key that was taken.
pub(crate) fn given() -> Option<&'static Secret> {
    GIVEN.get()
}

/// Overwrites each entry of this name, the name as well: what is left is empty, and no variable.
fn remove() -> io::Result<()> {
    let environment = fs::read("/proc/self/environ")?;
    let start = environment_start(&fs::read_to_string("/proc/self/stat")?)
        .ok_or_else(|| io::Error::other("the kernel does not say where the environment is"))?;
    let memory = fs::File::options().write(true).open("/proc/self/mem")?;
    let mut at = 0;
    for entry in environment.split(|byte| *byte == 0) {
        if entry.strip_prefix(VARIABLE.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")) {
            memory.write_all_at(&vec![0; entry.len()], start + at)?;
        }
        at += entry.len() as u64 + 1;
    }
    Ok(())
}

/// Where the environment begins in this process's memory: field 50 of `stat` (proc_pid_stat(5)).
fn environment_start(stat: &str) -> Option<u64> {
    // The name, in parentheses, may have spaces and parentheses itself; field 3 is after it.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(47)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn the_key_is_taken_and_nowhere_to_be_seen() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let own = "master_key::tests::take_it";
        child.args(["--exact", own, "--ignored", "--nocapture"]);
        let done = child.env(VARIABLE, KEY).env("AIPRESS_NEIGHBOUR", "stays").output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    }

    #[test]
    #[ignore = "run by the test above in a process of its own"]
    fn take_it() {
        let shown =
            || String::from_utf8_lossy(&fs::read("/proc/self/environ").unwrap()).into_owned();
        assert!(shown().contains(KEY));
        take().unwrap();
        assert_eq!(given().map(Secret::expose), Some(KEY));
        assert!(!shown().contains(KEY) && !shown().contains(VARIABLE), "{}", shown());
        assert!(shown().contains("AIPRESS_NEIGHBOUR=stays"));
        assert_eq!(std::env::var_os(VARIABLE), None);
        assert_eq!(std::env::var("AIPRESS_NEIGHBOUR").as_deref(), Ok("stays"));
        let child = Command::new("/usr/bin/env").output().unwrap();
        assert!(!String::from_utf8_lossy(&child.stdout).contains(KEY));
        assert!(String::from_utf8_lossy(&child.stdout).contains("AIPRESS_NEIGHBOUR=stays"));
    }
}
