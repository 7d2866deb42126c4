//! What a role gives up before it reads a word of a stranger: files that are not its own (Landlock),
//! and calls of the kernel that it has no use for (seccomp). Whoever takes the role over by what he
//! sends gets what the role still has, and no way to get more.
//!
//! What stays root, and what runs sites' code, gives up less: rights and calls ([`rights`]).
//!
//! Entered once, by the role itself, while it has one thread; there is no way back, and none for what
//! it starts, which is nothing: a role in here starts no program and no process. Files are a list of
//! what is allowed, calls a list of what is refused (`EPERM`): a call that a library begins to make
//! with its next version goes on working ([ADR 0016]). A kernel without one of them gives the rest,
//! and [`Sandbox::enter`] says which.
//!
//! [ADR 0016]: ../../../docs/adr/0016-roles-in-sandboxes.md

mod calls;
mod paths;
mod rights;
#[cfg(test)]
mod tests;

pub use rights::EXEC_VERB;
pub use rights::Left;
pub use rights::exec_confined;
pub use rights::keep_control_plane;

use std::io;
use std::path::Path;
use std::path::PathBuf;

use self::calls::Whose;

/// What the machine's own libraries read: the C library and its ways to find names, certificates,
/// how many processors there are, whether memory may be promised, what this program's functions are
/// called. Names that are missing are passed over. `/proc` as a whole, because the kernel may show
/// a process's folder as another one later; whose processes are seen is not decided by folders.
const SYSTEM: &[&str] = &[
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/usr",
];

/// Whom a role calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Other processes of this machine, by Unix sockets.
    Unix,
    /// Anybody, by TCP and UDP as well.
    Outgoing,
}

/// Why a role does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A folder or file that the role is to have cannot be opened.
    #[error("{}: {error}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The kernel has it, but refused these rules.
    #[error("the kernel refuses the role's limits: {0}")]
    Refused(String),
}

/// What of it the kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Controls {
    /// Landlock: files that are not the role's are out of its reach.
    pub files: bool,
    /// seccomp: calls that it has no use for are refused.
    pub calls: bool,
}

impl Controls {
    /// What this machine's kernel has, for those who ask before they rely on it.
    pub fn of_this_machine() -> Self {
        Self { files: paths::is_available(), calls: calls::is_available() }
    }
}

/// What a role keeps.
#[derive(Debug, Clone)]
pub struct Sandbox {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    network: Network,
}

impl Sandbox {
    /// Nothing but what the machine's libraries read.
    pub fn new(network: Network) -> Self {
        Self { read: Vec::new(), write: Vec::new(), network }
    }

    /// Keeps a folder with all below it, or a file, to be read. It must be there: what is made anew
    /// in its place later is not kept, so a file that is replaced is kept by its folder.
    #[must_use]
    pub fn read(mut self, path: impl AsRef<Path>) -> Self {
        self.read.push(path.as_ref().to_owned());
        self
    }

    /// Keeps a folder with all below it, to be read and changed; the same holds.
    #[must_use]
    pub fn write(mut self, path: impl AsRef<Path>) -> Self {
        self.write.push(path.as_ref().to_owned());
        self
    }

    /// Gives up all else, for this thread and those that it starts.
    ///
    /// # Errors
    /// When a path is not there, or the kernel refuses what it has.
    pub fn enter(self) -> Result<Controls, SandboxError> {
        let files = paths::restrict(&self.read, &self.write)?;
        // Last: what came before makes calls that are refused from here on.
        let calls = calls::is_available();
        if calls {
            calls::restrict(Whose::Role(self.network))?;
        }
        Ok(Controls { files, calls })
    }
}
