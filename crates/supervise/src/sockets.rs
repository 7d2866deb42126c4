//! Makes the listening sockets, once for the supervisor's whole life.
//!
//! A taken TCP port is an error that says by whom. A Unix socket's file is
//! replaced only when it is a socket that nobody answers on; its mode and owner
//! are set before `listen`, so at no moment can somebody else connect.

mod port_owner;

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::unit::{SocketAddress, SocketSpec};

pub use port_owner::PortOwner;

/// Why a socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody listens on that port already.
    #[error("{address} is taken{}", by(.owner))]
    Taken {
        /// The address that was asked for.
        address: SocketAddr,
        /// Who has it, when that can be seen (as root always).
        owner: Option<PortOwner>,
    },
    /// Ports below 1,024 need root.
    #[error(
        "{address} may not be listened on by this user; take a port from 1024 on, or run as root"
    )]
    NotPermitted {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// A living socket is where ours should be.
    #[error("{} is a socket that somebody else answers on", .0.display())]
    InUse(PathBuf),
    /// Something that is no socket is where ours should be.
    #[error("{} is in the way: it is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The kernel refused.
    #[error("{step} {address}: {error}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// The address as text.
        address: String,
        /// What it said.
        error: io::Error,
    },
}

fn by(owner: &Option<PortOwner>) -> String {
    owner.as_ref().map_or_else(String::new, |owner| format!(" by {owner}"))
}

/// A listening socket that the supervisor holds. Its file goes with it.
#[derive(Debug)]
pub(crate) struct ListenSocket {
    fd: OwnedFd,
    address: BoundAddress,
}

/// Where a socket listens indeed: a TCP port that was 0 is a number here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BoundAddress {
    Tcp(SocketAddr),
    Unix { path: PathBuf, inode: (u64, u64) },
}

impl fmt::Display for BoundAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { path, .. } => path.display().fmt(f),
        }
    }
}

impl ListenSocket {
    /// Makes, binds and listens.
    pub(crate) fn open(spec: &SocketSpec) -> Result<Self, SocketError> {
        match &spec.address {
            SocketAddress::Tcp(address) => open_tcp(*address, spec.backlog),
            SocketAddress::Unix { path, mode, owner } => {
                open_unix(path, *mode, *owner, spec.backlog)
            }
        }
    }

    pub(crate) fn address(&self) -> &BoundAddress {
        &self.address
    }
}

impl AsFd for ListenSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for ListenSocket {
    /// Removes the file, unless another socket has taken its place since.
    fn drop(&mut self) {
        if let BoundAddress::Unix { path, inode } = &self.address
            && fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == *inode)
        {
            // The next supervisor replaces a file that stays.
            let _ = fs::remove_file(path);
        }
    }
}

fn open_tcp(address: SocketAddr, backlog: u16) -> Result<ListenSocket, SocketError> {
    let failed = |step| {
        move |error: rustix::io::Errno| SocketError::Io {
            step,
            address: address.to_string(),
            error: error.into(),
        }
    };
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(failed("make a socket for"))?;
    // Connections of the last run that are still in TIME_WAIT do not bar the port.
    rustix::net::sockopt::set_socket_reuseaddr(&fd, true).map_err(failed("set up"))?;
    let result = rustix::net::bind(&fd, &address)
        .and_then(|()| rustix::net::listen(&fd, i32::from(backlog)));
    match result {
        Ok(()) => {}
        Err(rustix::io::Errno::ADDRINUSE) => {
            return Err(SocketError::Taken { address, owner: port_owner::find(address.port()) });
        }
        Err(rustix::io::Errno::ACCESS) => return Err(SocketError::NotPermitted { address }),
        Err(error) => return Err(failed("listen on")(error)),
    }
    let bound = rustix::net::getsockname(&fd)
        .and_then(SocketAddr::try_from)
        .map_err(failed("ask the address of"))?;
    Ok(ListenSocket { fd, address: BoundAddress::Tcp(bound) })
}

fn open_unix(
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
    backlog: u16,
) -> Result<ListenSocket, SocketError> {
    remove_stale(path)?;
    let failed = |step| {
        move |error: io::Error| SocketError::Io { step, address: path.display().to_string(), error }
    };
    let name = SocketAddrUnix::new(path).map_err(|error| failed("name")(error.into()))?;
    let flags = SocketFlags::CLOEXEC;
    let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|error| failed("make a socket for")(error.into()))?;
    rustix::net::bind(&fd, &name).map_err(|error| failed("bind")(error.into()))?;
    // Until `listen`, whoever connects is refused whatever the file's mode.
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed("set mode of"))?;
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::lchown(path, Some(uid), Some(gid)).map_err(failed("set owner of"))?;
    }
    rustix::net::listen(&fd, i32::from(backlog))
        .map_err(|error| failed("listen on")(error.into()))?;
    let file = fs::symlink_metadata(path).map_err(failed("look at"))?;
    let inode = (file.dev(), file.ino());
    Ok(ListenSocket { fd, address: BoundAddress::Unix { path: path.to_owned(), inode } })
}

/// Removes a socket that nobody answers on.
pub(crate) fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let failed =
        |step| move |error| SocketError::Io { step, address: path.display().to_string(), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(SocketError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    if is_answered(path) {
        return Err(SocketError::InUse(path.to_owned()));
    }
    fs::remove_file(path).map_err(failed("remove the stale"))
}

/// Whether a process listens on a socket file; a full backlog counts as one.
fn is_answered(path: &Path) -> bool {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let Ok(name) = SocketAddrUnix::new(path) else { return false };
    let probe = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    match probe.and_then(|probe| rustix::net::connect(&probe, &name)) {
        Ok(()) | Err(rustix::io::Errno::AGAIN) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_says_by_whom() {
        let first =
            ListenSocket::open(&SocketSpec::tcp("web", ([127, 0, 0, 1], 0).into())).unwrap();
        let BoundAddress::Tcp(address) = first.address().clone() else { panic!("not TCP") };
        let error = ListenSocket::open(&SocketSpec::tcp("web", address)).unwrap_err();
        let SocketError::Taken { owner: Some(owner), .. } = &error else { panic!("{error}") };
        assert_eq!(owner.pid, Some(std::process::id()));
        assert!(error.to_string().starts_with(&format!("{address} is taken by process ")));
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let spec = SocketSpec::unix("s", dir.path().join("s"), 0o640);
        // The standard library leaves the file behind, as a killed process does.
        drop(std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap());
        let living = ListenSocket::open(&spec).unwrap();
        let mode = fs::metadata(dir.path().join("s")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert!(matches!(ListenSocket::open(&spec), Err(SocketError::InUse(_))));
        drop(living);
        assert!(!dir.path().join("s").exists(), "the file goes with its socket");
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("precious");
        fs::write(&path, "data").unwrap();
        std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
        for name in ["precious", "link"] {
            let spec = SocketSpec::unix("s", dir.path().join(name), 0o600);
            assert!(matches!(ListenSocket::open(&spec), Err(SocketError::NotASocket(_))));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }
}
