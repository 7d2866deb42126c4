//! The only unsafe code of this crate: two things about file descriptors that
//! safe Rust has no words for. Each says why it is sound.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Closes every descriptor from `first` on, for a process that has just begun
/// and has opened nothing that it means to use again.
///
/// `make`, shells and terminals leave descriptors open in the programs they
/// start. They must neither reach a unit nor sit on the numbers from 3 on,
/// where its sockets belong.
pub(crate) fn close_from(first: i32) -> io::Result<()> {
    let mut open: Vec<i32> = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            open.push(number);
        }
    }
    for number in open.into_iter().filter(|number| *number >= first) {
        // The folder's own descriptor is in the list, and closed by now.
        if fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok() {
            close(number);
        }
    }
    Ok(())
}

#[expect(unsafe_code, reason = "a descriptor that nothing owns can be closed in no other way")]
fn close(number: i32) {
    // SAFETY: closing is unsound only when something still owns the number and
    // goes on to use it, for it may then name another file. The one caller
    // (`exec::exec_unit`) runs in a process that has begun just now,
    // single-threaded, on its way to exec or exit: main has called it before
    // anything else (its contract, and it refuses a second thread), and the
    // standard library owns no descriptor above 2 at that point.
    unsafe { rustix::io::close(number) }
}

/// Registers a descriptor with the runtime, to wait until it is readable.
#[expect(unsafe_code, reason = "tokio has no safe registration of an owned descriptor any more")]
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: what is asked for is that the descriptor stays open and the same
    // for the life of the `AsyncFd`. It is owned by it from here on, an
    // `OwnedFd` closes only when dropped and never changes its number, and
    // nobody else has the number: a pidfd is duplicated nowhere in this crate.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    Ok(registered?)
}
