//! The command line's side of the control socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::{ControlError, REPLY_MAX_BYTES, Reply, Request, socket_path};
use crate::status::{Snapshot, UnitStatus};
use crate::sweep::Exit;

/// How everything is on the supervisor of `run_dir`.
pub async fn status(run_dir: &Path, within: Duration) -> Result<Snapshot, ControlError> {
    call(run_dir, &Request::Status, within, |_| {}).await
}

/// Asks for something and waits until it is done. `on_change` is told of every
/// unit that changes meanwhile.
pub async fn call(
    run_dir: &Path,
    request: &Request,
    within: Duration,
    mut on_change: impl FnMut(UnitStatus),
) -> Result<Snapshot, ControlError> {
    let asking = async {
        let peer = connect(run_dir).await?;
        ask(peer, request, &mut on_change).await
    };
    tokio::time::timeout(within, asking).await.map_err(|_| ControlError::Timeout(within))?
}

/// Ends everything and waits until the supervisor itself is gone. Nothing
/// running is [`ControlError::NotRunning`].
pub async fn shutdown(
    run_dir: &Path,
    within: Duration,
    mut on_change: impl FnMut(UnitStatus),
) -> Result<(), ControlError> {
    let deadline = Instant::now() + within;
    let ending = async {
        let peer = connect(run_dir).await?;
        // A handle now, while it surely lives: later the number may be another's.
        let exit = peer.peer_cred()?.pid().and_then(Pid::from_raw).map(|pid| {
            rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from)
        });
        ask(peer, &Request::Shutdown, &mut on_change).await?;
        if let Some(exit) = exit {
            Exit::new(exit?)?.wait().await;
        }
        Ok(())
    };
    tokio::time::timeout_at(deadline, ending).await.map_err(|_| ControlError::Timeout(within))?
}

async fn connect(run_dir: &Path) -> Result<UnixStream, ControlError> {
    UnixStream::connect(socket_path(run_dir)).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NotRunning(run_dir.to_owned())
        }
        io::ErrorKind::PermissionDenied => ControlError::NotPermitted(run_dir.to_owned()),
        _ => ControlError::Io(error),
    })
}

async fn ask(
    mut peer: UnixStream,
    request: &Request,
    on_change: &mut impl FnMut(UnitStatus),
) -> Result<Snapshot, ControlError> {
    let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
    line.push(b'\n');
    peer.write_all(&line).await?;
    let mut peer = BufReader::new(peer);
    loop {
        let mut line = String::new();
        (&mut peer).take(REPLY_MAX_BYTES).read_line(&mut line).await?;
        if line.is_empty() {
            return Err(ControlError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        match serde_json::from_str(&line).map_err(io::Error::from)? {
            Reply::Change(unit) => on_change(unit),
            Reply::Done(snapshot) => return Ok(snapshot),
            Reply::Error(reason) => return Err(ControlError::Refused(reason)),
        }
    }
}
