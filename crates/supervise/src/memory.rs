//! Whether a unit died because memory ran out. A SIGKILL has no reason; the kernel's log (`/dev/kmsg`)
//! names the process that was killed for want of memory, of the machine or of a control group. Where it
//! can't be read (without root, or in another PID namespace) nothing is claimed. A program that asks
//! for memory and gets none says so itself.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, PoisonError};

use rustix::process::WaitIdStatus;

const KERNEL_LOG: &str = "/dev/kmsg";
/// Longest record of the kernel's log (`CONSOLE_EXT_LOG_MAX`), bytes.
const RECORD_MAX_BYTES: usize = 8 << 10;
/// Records read at once; the kernel keeps fewer.
const RECORDS_MAX: usize = 100_000;
/// Killed processes that are remembered until somebody asks for them.
const REMEMBERED: usize = 256;
/// What the kernel says before the process's number.
const KILLED: &str = "Killed process ";
/// What Rust says before it aborts for want of memory.
const REFUSED: &str = "memory allocation of ";
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// Who was killed for want of memory since the supervisor began.
#[derive(Debug, Default)]
pub(crate) struct Kills(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    log: File,
    pids: VecDeque<i32>,
}

impl Kills {
    /// Reads the kernel's log from now on.
    pub(crate) fn from_now() -> Self {
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(KERNEL_LOG);
        let seen = opened.and_then(|mut log| {
            log.seek(SeekFrom::End(0))?;
            Ok(Seen { log, pids: VecDeque::new() })
        });
        Self(Mutex::new(seen.ok()))
    }

    /// Why a process that ended so ran out of memory, in words; `None` when it did not. `tail` is the
    /// end of its own log.
    pub(crate) fn explain(
        &self,
        pid: i32,
        status: Option<WaitIdStatus>,
        tail: &[String],
    ) -> Option<String> {
        match status?.terminating_signal()? {
            SIGKILL if self.take(pid) => Some(
                "out of memory: the kernel killed it; give the machine more, or run less on it"
                    .to_owned(),
            ),
            SIGABRT => {
                let line = tail.iter().rev().find(|line| line.contains(REFUSED))?;
                Some(format!("out of memory: {}", line.trim()))
            }
            _ => None,
        }
    }

    /// Whether this process was killed for want of memory; said once, as numbers are used again.
    fn take(&self, pid: i32) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = seen.as_mut() else { return false };
        seen.read_on();
        let before = seen.pids.len();
        seen.pids.retain(|killed| *killed != pid);
        seen.pids.len() < before
    }
}

impl Seen {
    fn read_on(&mut self) {
        let mut record = [0; RECORD_MAX_BYTES];
        for _ in 0..RECORDS_MAX {
            match self.log.read(&mut record) {
                Ok(0) => return,
                Ok(length) => {
                    let text = String::from_utf8_lossy(record.get(..length).unwrap_or_default());
                    self.pids.extend(killed(&text));
                    while self.pids.len() > REMEMBERED {
                        self.pids.pop_front();
                    }
                }
                // What was next is overwritten already; the one after it follows.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(_) => return,
            }
        }
    }
}

/// The process that a record of the kernel's log says was killed.
fn killed(record: &str) -> Option<i32> {
    let (before, rest) = record.split_once(KILLED)?;
    // A process may write to the log as well, and give itself any name.
    let is_kernels =
        before.ends_with("emory: ") || before.ends_with("emory cgroup out of memory: ");
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    is_kernels.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_names_whom_it_killed() {
        let of_group = "3,5877,38165462457,-;Memory cgroup out of memory: Killed process 32314 \
                        (php-fpm8.2) total-vm:1206000kB, anon-rss:541040kB";
        let of_all = "3,5,3,-;Out of memory: Killed process 7 (aipress) total-vm:1kB";
        assert_eq!(killed(of_group), Some(32314));
        assert_eq!(killed(of_all), Some(7));
        assert_eq!(killed("6,5870,38165462435,-;[  pid  ]   uid  tgid total_vm"), None);
        assert_eq!(killed("4,1,2,-;x: Killed process 7 (a)"), None);
    }
}
