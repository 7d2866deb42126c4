//! The hidden verb that turns a child of the supervisor into a unit.
//!
//! A unit needs things that only the process itself can do to itself (be a
//! session's leader, know its own id for `LISTEN_PID`, give up root), and the
//! place for them between fork and exec is one where next to nothing may be
//! called. So the supervisor starts its own program again with [`EXEC_VERB`],
//! and this code, in an ordinary single-threaded process, does them and
//! executes the unit's program in its place.
//!
//! Its standard input is a socket to the supervisor. Along it come the
//! specification ([`ExecSpec`]) and the listening sockets; back goes an error, or
//! nothing, since the socket closes by itself when the program was executed. A
//! supervisor that dies before it has sent the specification leaves a process
//! that sees the end of the socket and exits: no unit runs that is not on
//! record.
//!
//! Absent: reading secrets. There are none in a specification.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use rustix::fs::Mode;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use rustix::process::{Gid, Resource, Uid};
use serde::{Deserialize, Serialize};

use crate::descriptors;
use crate::plan::SOCKETS_MAX;
use crate::unit::{Credentials, Rlimit, RlimitResource, Unit};

/// The verb under which the program must call [`exec_unit`], before anything else.
pub const EXEC_VERB: &str = "exec-unit";

/// First descriptor of the `LISTEN_FDS` convention (sd_listen_fds(3)).
const LISTEN_FDS_START: i32 = 3;

/// The channel is moved here, out of the way of the sockets.
const CHANNEL_FD_MIN: i32 = LISTEN_FDS_START + SOCKETS_MAX as i32;

/// Longest specification accepted, bytes: the limit of arguments and
/// environment together is 2 MiB on Linux anyway.
const SPEC_MAX_BYTES: u64 = 4 << 20;

/// What the started process needs to know.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecSpec {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
    user: Option<Credentials>,
    umask: u32,
    rlimits: Vec<Rlimit>,
    oom_score_adj: Option<i16>,
    no_new_privs: bool,
    socket_names: Vec<String>,
}

impl From<&Unit> for ExecSpec {
    fn from(unit: &Unit) -> Self {
        Self {
            argv: unit.argv.clone(),
            env: unit.env.clone(),
            cwd: unit.cwd.clone(),
            user: unit.user.clone(),
            umask: unit.umask,
            rlimits: unit.rlimits.clone(),
            oom_score_adj: unit.oom_score_adj,
            no_new_privs: unit.no_new_privs,
            socket_names: unit.sockets.iter().map(|socket| socket.name.clone()).collect(),
        }
    }
}

/// Why a unit's program was not executed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecError {
    #[error("{0} is not for people: the supervisor calls it")]
    NotOurs(&'static str),
    #[error("{step}: {error}")]
    Step { step: &'static str, error: io::Error },
    #[error("{what} {name}: {error}")]
    Named { what: &'static str, name: String, error: io::Error },
    #[error("the specification of the unit cannot be read: {0}")]
    Spec(#[from] serde_json::Error),
    #[error("got {got} of {wanted} sockets from descriptor {LISTEN_FDS_START} on")]
    Sockets { got: usize, wanted: usize },
    #[error("{0} threads run: exec-unit must come before everything else in main")]
    Threads(usize),
}

/// Labels an error with what was being done.
fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> ExecError {
    move |error| ExecError::Step { step, error: error.into() }
}

/// Becomes the unit that the supervisor describes along standard input. Call
/// it first in `main` when the first argument is [`EXEC_VERB`]: before any
/// thread, and before any file is opened, because it closes all of them.
/// Returns only when it failed; the supervisor was told why.
pub fn exec_unit() -> ExitCode {
    let error = match open_channel() {
        Ok(mut channel) => match receive(&mut channel) {
            Ok(Some((spec, sockets))) => {
                let error = become_unit(&spec, &sockets);
                // The supervisor may be gone; then nobody is left to tell.
                let _ = channel.write_all(error.to_string().as_bytes());
                return ExitCode::from(127);
            }
            Ok(None) => return ExitCode::SUCCESS,
            Err(error) => {
                let _ = channel.write_all(error.to_string().as_bytes());
                error
            }
        },
        Err(error) => error,
    };
    let _ = writeln!(io::stderr(), "{error}");
    ExitCode::from(127)
}

fn open_channel() -> Result<UnixStream, ExecError> {
    descriptors::close_from(LISTEN_FDS_START).map_err(at("close inherited descriptors"))?;
    let stdin = io::stdin();
    if rustix::net::sockopt::socket_domain(stdin.as_fd()) != Ok(rustix::net::AddressFamily::UNIX) {
        return Err(ExecError::NotOurs(EXEC_VERB));
    }
    let channel = rustix::io::fcntl_dupfd_cloexec(stdin.as_fd(), CHANNEL_FD_MIN)
        .map_err(at("move the channel"))?;
    // First of all, so that the supervisor's record (this id is the session's)
    // is true from the moment that it is written.
    rustix::process::setsid().map_err(at("begin a session"))?;
    Ok(UnixStream::from(channel))
}

/// Sends a specification and its sockets to a process that runs [`exec_unit`].
pub(crate) fn send(
    channel: &mut UnixStream,
    spec: &ExecSpec,
    sockets: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let json = serde_json::to_vec(spec)?;
    let length = (json.len() as u64).to_be_bytes();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many sockets"));
    }
    let header = [IoSlice::new(&length)];
    rustix::net::sendmsg(&*channel, &header, &mut control, SendFlags::NOSIGNAL)?;
    channel.write_all(&json)
}

/// The specification and the sockets, or nothing when the supervisor is gone.
fn receive(channel: &mut UnixStream) -> Result<Option<(ExecSpec, Vec<OwnedFd>)>, ExecError> {
    let mut length = [0; 8];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    // Without CMSG_CLOEXEC: the sockets are to outlive the exec. The kernel
    // gives them the lowest free numbers in their order, which is 3 and on.
    let flags = RecvFlags::empty();
    let received =
        rustix::net::recvmsg(&*channel, &mut [IoSliceMut::new(&mut length)], &mut control, flags)
            .map_err(at("receive the specification"))?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let sockets: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        })
        .flatten()
        .collect();
    let rest = length.get_mut(received.bytes..).unwrap_or_default();
    channel.read_exact(rest).map_err(at("receive the specification"))?;
    let length = u64::from_be_bytes(length).min(SPEC_MAX_BYTES);
    let mut json = Vec::new();
    channel.take(length).read_to_end(&mut json).map_err(at("receive the specification"))?;
    if json.len() as u64 != length {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&json)?, sockets)))
}

/// Applies the specification and executes the program; returns only an error.
fn become_unit(spec: &ExecSpec, sockets: &[OwnedFd]) -> ExecError {
    match apply(spec, sockets) {
        Ok(mut command) => {
            let name = spec.argv.first().cloned().unwrap_or_default();
            ExecError::Named { what: "execute", name, error: command.exec() }
        }
        Err(error) => error,
    }
}

fn apply(spec: &ExecSpec, sockets: &[OwnedFd]) -> Result<Command, ExecError> {
    let threads = fs::read_dir("/proc/self/task").map_err(at("count threads"))?.count();
    if threads != 1 {
        return Err(ExecError::Threads(threads));
    }
    let in_order = (LISTEN_FDS_START..)
        .zip(sockets)
        .filter(|(number, socket)| socket.as_raw_fd() == *number)
        .count();
    if in_order != spec.socket_names.len() || in_order != sockets.len() {
        return Err(ExecError::Sockets { got: in_order, wanted: spec.socket_names.len() });
    }
    for limit in &spec.rlimits {
        set_rlimit(limit).map_err(|error| ExecError::Named {
            what: "set limit",
            name: format!("{:?}", limit.resource),
            error,
        })?;
    }
    if let Some(score) = spec.oom_score_adj {
        fs::write("/proc/self/oom_score_adj", score.to_string()).map_err(at("set oom score"))?;
    }
    if let Some(user) = &spec.user {
        switch_user(user)?;
    }
    rustix::process::umask(Mode::from_bits_truncate(spec.umask));
    if spec.no_new_privs {
        rustix::thread::set_no_new_privs(true).map_err(at("give up new privileges"))?;
    }
    // Entered here for an error of its own; a missing folder reads as a
    // missing program otherwise.
    std::env::set_current_dir(&spec.cwd).map_err(|error| ExecError::Named {
        what: "enter folder",
        name: spec.cwd.display().to_string(),
        error,
    })?;
    Ok(command(spec))
}

fn command(spec: &ExecSpec) -> Command {
    let mut argv = spec.argv.iter();
    let mut command = Command::new(argv.next().map_or("", String::as_str));
    command.args(argv).env_clear().envs(&spec.env).stdin(Stdio::null());
    if !spec.socket_names.is_empty() {
        command
            .env("LISTEN_PID", std::process::id().to_string())
            .env("LISTEN_FDS", spec.socket_names.len().to_string())
            .env("LISTEN_FDNAMES", spec.socket_names.join(":"));
    }
    command
}

/// Groups first: without root none of them can be changed any more. Without
/// root nothing is changed: the plan has checked that it is our own user.
fn switch_user(user: &Credentials) -> Result<(), ExecError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    rustix::thread::set_thread_groups(&groups).map_err(at("set supplementary groups"))?;
    let gid = Gid::from_raw(user.gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(at("set group"))?;
    let uid = Uid::from_raw(user.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(at("set user"))
}

fn set_rlimit(limit: &Rlimit) -> io::Result<()> {
    let resource = match limit.resource {
        RlimitResource::Nofile => Resource::Nofile,
        RlimitResource::Nproc => Resource::Nproc,
        RlimitResource::Core => Resource::Core,
        RlimitResource::As => Resource::As,
        RlimitResource::Fsize => Resource::Fsize,
        RlimitResource::Memlock => Resource::Memlock,
        RlimitResource::Data => Resource::Data,
        RlimitResource::Stack => Resource::Stack,
    };
    let value = rustix::process::Rlimit { current: limit.soft, maximum: limit.hard };
    Ok(rustix::process::setrlimit(resource, value)?)
}
