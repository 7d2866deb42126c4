//! Gets a worker for a request that none has taken.
//!
//! php-fpm starts workers of an `ondemand` pool when a connection comes and none is idle. Of several
//! that come at once it may hear one only, or find a worker idle that the first of them takes, or
//! that is about to end; the others then wait for busy workers, though there may be more of them.
//! Another connection makes it look again. Which request that is needed for can be told: what was
//! written to it is unread.

use std::{
    ffi::c_int,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use rustix::{
    ioctl::{Getter, Opcode, ioctl},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
};
use tokio::{
    net::UnixStream,
    time::{Instant, Sleep, sleep},
};

/// The first wait for a worker, in which one can be started; doubled each time up to the second.
const WAIT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(320));
/// Bytes that were written to a socket and not read at its other end (unix(7), `SIOCOUTQ`).
const SIOCOUTQ: Opcode = 0x5411;

/// Looks after one request until a worker took it.
#[derive(Debug)]
pub(super) struct Nudge {
    timer: Pin<Box<Sleep>>,
    pause: Duration,
}

impl Nudge {
    pub(super) fn new() -> Self {
        Self { timer: Box::pin(sleep(WAIT.0)), pause: WAIT.0 }
    }

    /// Ready when a worker has read of the `written` bytes.
    pub(super) fn poll_taken(
        &mut self,
        cx: &mut Context<'_>,
        stream: &UnixStream,
        written: usize,
    ) -> Poll<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            if is_taken(stream, written) {
                return Poll::Ready(());
            }
            look_again(stream);
            self.pause = (self.pause * 2).min(WAIT.1);
            self.timer.as_mut().reset(Instant::now() + self.pause);
        }
        Poll::Pending
    }
}

/// Whether something of what was written is read. The kernel counts what it needs for the unread,
/// which is more than its bytes. Where it can't tell, nobody is to be nudged.
fn is_taken(stream: &UnixStream, written: usize) -> bool {
    let unread = unread(stream).map_or(0, |unread| usize::try_from(unread).unwrap_or(0));
    unread == 0 || unread < written
}

/// What the kernel needs for that which was written and is unread.
#[expect(unsafe_code, reason = "rustix has no function for this question")]
pub(super) fn unread(stream: &UnixStream) -> rustix::io::Result<c_int> {
    // SAFETY: SIOCOUTQ writes one int, and nothing else happens.
    unsafe { ioctl(stream.as_fd(), Getter::<SIOCOUTQ, c_int>::new()) }
}

/// Connects to the same pool and leaves: whoever takes that finds nothing to do.
fn look_again(stream: &UnixStream) {
    let Ok(address) = stream.peer_addr() else { return };
    let Some(path) = address.as_pathname() else { return };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    if let Ok(other) = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        && let Ok(to) = SocketAddrUnix::new(path)
    {
        // A full queue is looked at by the master anyway.
        let _ = connect(&other, &to);
    }
}
