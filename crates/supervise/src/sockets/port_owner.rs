//! Finds the process that listens on a TCP port.
//!
//! `/proc/net/tcp` gives the socket's inode and user, `/proc/*/fd` the process
//! that has it open. Another user's descriptors are visible to root only;
//! without, the user's id is all that can be said.

use std::fmt;
use std::fs;

use crate::procfs;

/// Who listens on a port, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// User id of the socket's owner.
    pub uid: u32,
    /// The process, when its descriptors can be seen.
    pub pid: Option<u32>,
    /// Its name, at most 15 bytes.
    pub name: Option<String>,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.name) {
            (Some(pid), Some(name)) => write!(f, "process {pid} ({name})"),
            (Some(pid), None) => write!(f, "process {pid}"),
            _ => write!(f, "a process of user {} that only root can see", self.uid),
        }
    }
}

/// State `TCP_LISTEN` in `/proc/net/tcp`, proc_net(5).
const LISTEN: &str = "0A";

pub(super) fn find(port: u16) -> Option<PortOwner> {
    let (inode, uid) = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| table.lines().skip(1).find_map(|line| listener(line, port)))?;
    let target = format!("socket:[{inode}]");
    let pid = procfs::all()
        .ok()?
        .into_iter()
        .map(|stat| stat.pid)
        .find(|pid| procfs::has_open(*pid, target.as_ref()));
    let name = pid.and_then(procfs::command_name);
    Some(PortOwner { uid, pid: pid.and_then(|pid| pid.try_into().ok()), name })
}

/// Inode and user of a line's socket when it listens on that port.
fn listener(line: &str, port: u16) -> Option<(u64, u32)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    if *fields.get(3)? != LISTEN || u16::from_str_radix(local_port, 16) != Ok(port) {
        return None;
    }
    Some((fields.get(9)?.parse().ok()?, fields.get(7)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernel_table() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  \
                    33        0 20639 1 0000000000000000 100 0 0 10 0";
        assert_eq!(listener(line, 8080), Some((20_639, 33)));
        assert_eq!(listener(line, 8081), None);
        assert_eq!(listener(&line.replace(" 0A ", " 01 "), 8080), None);
        assert_eq!(listener("garbage", 8080), None);
    }

    #[test]
    fn says_what_can_be_seen() {
        let seen = PortOwner { uid: 0, pid: Some(7), name: Some("nginx".into()) };
        assert_eq!(seen.to_string(), "process 7 (nginx)");
        let unseen = PortOwner { uid: 33, pid: None, name: None };
        assert_eq!(unseen.to_string(), "a process of user 33 that only root can see");
    }
}
