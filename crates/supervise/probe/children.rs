//! The tiny units: a server on an inherited socket, and a master whose worker
//! outlives it, as php-fpm's do.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::FromRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use crate::Outcome;

/// Answers each connection to the inherited socket with this process's id.
pub(crate) fn serve() -> Outcome {
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
        println!("{name}={}", std::env::var(name)?);
    }
    if std::env::var("LISTEN_PID")? != std::process::id().to_string() {
        return Err("LISTEN_PID is another's".into());
    }
    #[expect(unsafe_code, reason = "descriptor 3 is ours by the LISTEN_FDS convention")]
    // SAFETY: LISTEN_PID says that descriptor 3 was passed to this process, and
    // nothing else here takes it.
    let listener = unsafe { TcpListener::from_raw_fd(3) };
    for peer in listener.incoming() {
        // A peer that has gone is its own affair.
        let _ = peer.and_then(|mut peer| write!(peer, "{}", std::process::id()));
    }
    Ok(())
}

/// Begins a worker that answers on `socket`, after noting in `verdict` whether
/// an older one still does. The path of the socket is taken over as php-fpm
/// does, whoever answers there.
pub(crate) fn master(socket: &str, verdict: &str) -> Outcome {
    let orphan = UnixStream::connect(socket).is_ok();
    let mut file = fs::OpenOptions::new().append(true).create(true).open(verdict)?;
    writeln!(file, "{}", if orphan { "orphan answers" } else { "clean" })?;
    let _ = fs::remove_file(socket);
    let mut worker = Command::new("/proc/self/exe").args(["worker", socket]).spawn()?;
    worker.wait()?;
    Ok(())
}

/// Answers on its own socket, and ignores that its parent has gone.
pub(crate) fn worker(socket: &str) -> Outcome {
    let listener = UnixListener::bind(socket)?;
    for peer in listener.incoming() {
        let mut peer = peer?;
        write!(peer, "{}", std::process::id())?;
        peer.shutdown(std::net::Shutdown::Write)?;
        let _ = peer.read(&mut [0]);
    }
    Ok(())
}
