//! Listening sockets: inherited from the supervisor, or bound here.
//!
//! The supervisor passes sockets from file descriptor 3 on and names them in `LISTEN_FDNAMES`
//! (the convention of systemd's `sd_listen_fds(3)`), so that a role that dies refuses nobody:
//! connections wait in the socket's backlog.

use std::io;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::net::UnixListener;

const FIRST_FD: RawFd = 3;
/// Descriptors of a process that are not connections: files, logs, event queues.
const OTHER_FDS: u64 = 128;
/// Connections of the smallest process.
const FEWEST: u64 = 8;
/// Between two complaints about a listener that can't accept.
const COMPLAIN: Duration = Duration::from_secs(60);
/// Pause after a failed accept (out of descriptors), so that it is no busy loop.
const PAUSE: Duration = Duration::from_millis(50);

/// As many connections as are wanted, or as this process's limit of open files allows when each has
/// another one behind it: more wait in the backlog instead of taking the last descriptor.
pub fn connections_max(wanted: usize) -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let allowed = files.unwrap_or(u64::MAX).saturating_sub(OTHER_FDS) / 2;
    wanted.min(usize::try_from(allowed.max(FEWEST)).unwrap_or(usize::MAX))
}

/// What a loop does that accepts connections when that fails: it says so now and then, and waits a
/// little. A connection that nobody took waits in the backlog.
#[derive(Debug, Default)]
pub struct AcceptFailures(Option<Instant>);

impl AcceptFailures {
    /// After a failure.
    pub async fn after(&mut self, error: &io::Error) {
        if self.0.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            self.0 = Some(Instant::now());
            tracing::warn!(%error, "connections can't be accepted; trying again and again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A socket that connections come in by.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix stream socket.
    Unix(UnixListener),
}

/// The inherited socket called `name`, if the supervisor passed one to this very process.
///
/// # Errors
/// When what was passed is no listening socket. Call at most once for each name.
pub fn inherited(name: &str) -> io::Result<Option<Listener>> {
    let variable = |key: &str| std::env::var(key).ok();
    let for_us = variable("LISTEN_PID").is_some_and(|pid| pid == std::process::id().to_string());
    if !for_us {
        return Ok(None);
    }
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let Some(index) = names.split(':').position(|candidate| candidate == name) else {
        return Ok(None);
    };
    let fd = FIRST_FD + RawFd::try_from(index).map_err(io::Error::other)?;
    from_fd(take_fd(fd)).map(Some)
}

#[expect(unsafe_code, reason = "taking over an inherited descriptor has no safe form")]
fn take_fd(fd: RawFd) -> OwnedFd {
    // SAFETY: LISTEN_PID names this process, so the supervisor opened this descriptor for it,
    // and nothing else in the process owns it: `inherited` is the only taker.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn from_fd(fd: OwnedFd) -> io::Result<Listener> {
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    match rustix::net::getsockname(&fd)?.address_family() {
        rustix::net::AddressFamily::UNIX => {
            let listener = std::os::unix::net::UnixListener::from(fd);
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener).map(Listener::Unix)
        }
        _ => {
            let listener = std::net::TcpListener::from(fd);
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener).map(Listener::Tcp)
        }
    }
}

/// Binds a Unix socket with the permission bits `mode`, in the place of a stale one.
///
/// # Errors
/// When the path is longer than a socket's address may be (107 bytes) or can't be bound.
pub fn bind_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(Listener::Unix(listener))
}

/// The inherited socket called `name`, or else one bound at `path`.
///
/// # Errors
/// As [`inherited`] and [`bind_unix`].
pub fn inherited_or_unix(name: &str, path: &Path, mode: u32) -> io::Result<Listener> {
    match inherited(name)? {
        Some(listener) => Ok(listener),
        None => bind_unix(path, mode),
    }
}
