//! The supervisor's side of the control socket.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{ControlError, REQUEST_MAX_BYTES, Reply, Request, socket_path};
use crate::handle::Handle;
use crate::sockets::ListenSocket;
use crate::status::{UnitState, UnitStatus};
use crate::unit::SocketSpec;

/// How many may ask at once; more wait in the backlog.
const CONNECTIONS_MAX: usize = 16;

/// For one who connects to say what it wants, and to take a line of the answer.
const PEER_TIMEOUT: Duration = Duration::from_secs(5);

/// The listening control socket.
#[derive(Debug)]
pub(crate) struct Server {
    socket: ListenSocket,
    listener: UnixListener,
    handle: Handle,
}

impl Server {
    pub(crate) fn open(run_dir: &Path, handle: Handle) -> Result<Self, ControlError> {
        let spec = SocketSpec::unix("control", socket_path(run_dir), 0o600);
        let socket = ListenSocket::open(&spec)?;
        let listener = StdUnixListener::from(socket.as_fd().try_clone_to_owned()?);
        listener.set_nonblocking(true)?;
        Ok(Self { listener: UnixListener::from_std(listener)?, socket, handle })
    }

    /// Answers until `farewell`, and then those who wait for the end.
    pub(crate) async fn serve(self, farewell: CancellationToken) {
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if answering.len() < CONNECTIONS_MAX => {
                    match accepted {
                        Ok((peer, _)) => {
                            let (handle, farewell) = (self.handle.clone(), farewell.clone());
                            answering.spawn(answer(peer, handle, farewell));
                        }
                        Err(error) => {
                            // Out of descriptors: it may pass, but not by asking at once again.
                            tracing::warn!(%error, "accept on the control socket");
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
                Some(_) = answering.join_next() => {}
                () = farewell.cancelled() => break,
            }
        }
        drop(self.socket);
        while answering.join_next().await.is_some() {}
    }
}

async fn answer(peer: UnixStream, handle: Handle, farewell: CancellationToken) {
    if let Err(error) = converse(peer, &handle, &farewell).await {
        tracing::debug!(%error, "answer on the control socket");
    }
}

async fn converse(
    mut peer: UnixStream,
    handle: &Handle,
    farewell: &CancellationToken,
) -> io::Result<()> {
    let uid = peer.peer_cred()?.uid();
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return say(&mut peer, &Reply::Error(format!("user {uid} may not control this"))).await;
    }
    let mut line = String::new();
    let mut limited = BufReader::new((&mut peer).take(REQUEST_MAX_BYTES));
    tokio::time::timeout(PEER_TIMEOUT, limited.read_line(&mut line)).await??;
    let request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => return say(&mut peer, &Reply::Error(format!("read request: {error}"))).await,
    };
    tracing::info!(?request, uid, "asked on the control socket");
    // Listened to before anything is done, so that nothing of it is missed.
    let mut changes = handle.changes();
    let done = match begin(&request, handle) {
        Ok(done) => done,
        Err(error) => return say(&mut peer, &Reply::Error(error.to_string())).await,
    };
    let mut snapshots = handle.watch();
    loop {
        if done.reached(&handle.status()) {
            break;
        }
        tokio::select! {
            biased;
            change = changes.recv() => match change {
                Ok(change) => say(&mut peer, &Reply::Change(change)).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            _ = snapshots.changed() => {}
            () = farewell.cancelled() => break,
        }
    }
    while let Ok(change) = changes.try_recv() {
        say(&mut peer, &Reply::Change(change)).await?;
    }
    say(&mut peer, &Reply::Done(handle.status())).await
}

/// What a request waits for.
enum Until {
    Now,
    Unit { name: String, state: UnitState, generation: u64 },
    Farewell,
}

impl Until {
    fn reached(&self, now: &crate::status::Snapshot) -> bool {
        match self {
            Self::Now => true,
            Self::Farewell => false,
            Self::Unit { name, state, generation } => {
                now.closing || now.unit(name).is_none_or(|unit| is_at(unit, *state, *generation))
            }
        }
    }
}

/// A unit that gave up has nothing to wait for.
fn is_at(unit: &UnitStatus, state: UnitState, generation: u64) -> bool {
    (unit.state == state || unit.state == UnitState::Failed) && unit.generation >= generation
}

fn begin(request: &Request, handle: &Handle) -> Result<Until, crate::handle::UnknownUnit> {
    let until =
        |name: &str, state, generation| Until::Unit { name: name.to_owned(), state, generation };
    Ok(match request {
        Request::Status => Until::Now,
        Request::Stop { unit } => {
            handle.stop(unit)?;
            until(unit, UnitState::Stopped, 0)
        }
        Request::Start { unit } => until(unit, UnitState::Ready, handle.start(unit)?),
        Request::Restart { unit } => until(unit, UnitState::Ready, handle.restart(unit)?),
        Request::Shutdown => {
            handle.shutdown();
            Until::Farewell
        }
    })
}

async fn say(peer: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    tokio::time::timeout(PEER_TIMEOUT, peer.write_all(&line)).await?
}
