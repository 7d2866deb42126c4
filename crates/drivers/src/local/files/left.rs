//! What a slot's user left outside of the platform's folders: files where everybody may write,
//! and System V's shared memory, semaphores and message queues. The next tenant of the slot is the
//! same user to the kernel, so it would read, and could be given, what is found there.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use super::Disk;
use super::tree;
use crate::error::DriverError;
use crate::layout::Slot;
use crate::local::beneath;
use crate::local::fpm::confine::WORLD_WRITABLE;

/// System V's objects: the kernel's list, the column of their ids, and how `ipcrm(1)` names them.
const IPC: &[(&str, &str, &str)] = &[
    ("/proc/sysvipc/shm", "shmid", "--shmem-id"),
    ("/proc/sysvipc/sem", "semid", "--semaphore-id"),
    ("/proc/sysvipc/msg", "msqid", "--queue-id"),
];
const IPCRM: &str = "/usr/bin/ipcrm";

/// Removes it. No process of the slot's user is left when this is called.
pub(super) fn remove(disk: &Disk, slot: Slot) -> Result<(), DriverError> {
    if !disk.ids.is_isolated() {
        // Everything is the one user's then, its own files, too.
        return Ok(());
    }
    let user = disk.ids.slot(slot).uid;
    // One that is a link leads to another of them.
    let is_dir = |dir: &&Path| dir.symlink_metadata().is_ok_and(|found| found.is_dir());
    for dir in WORLD_WRITABLE.iter().map(Path::new).filter(is_dir) {
        files(dir, user)
            .map_err(|error| DriverError::io("remove a former tenant's files", dir, error))?;
    }
    for (list, column, option) in IPC {
        // A kernel without System V's objects has no list.
        let text = fs::read_to_string(list).unwrap_or_default();
        for id in owned(&text, column, user) {
            remove_ipc(option, &id).map_err(|error| {
                DriverError::failed(format!("remove a former tenant's {column} {id}"), error)
            })?;
        }
    }
    Ok(())
}

fn files(dir: &Path, user: u32) -> io::Result<()> {
    let opened = beneath::open_dir(dir)?;
    for name in beneath::names(&opened)? {
        let stat = rustix::fs::statat(&opened, &*name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
        // Somebody else's file may go in between.
        if stat.is_ok_and(|stat| stat.st_uid == user) {
            tree::remove(&opened, &name)?;
        }
    }
    Ok(())
}

/// Ids of the objects that a user made or owns (`sysvipc(7)`: a table with a line of names).
fn owned(text: &str, column: &str, user: u32) -> Vec<String> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_ascii_whitespace().collect();
    let at = |name: &str| names.iter().position(|found| *found == name);
    let (Some(id), Some(uid), Some(cuid)) = (at(column), at("uid"), at("cuid")) else {
        return Vec::new();
    };
    let user = user.to_string();
    lines
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|row| [uid, cuid].iter().any(|at| row.get(*at) == Some(&user.as_str())))
        .filter_map(|row| row.get(id).map(|id| (*id).to_owned()))
        .collect()
}

fn remove_ipc(option: &str, id: &str) -> io::Result<()> {
    let status = Command::new(IPCRM)
        .args([option, id])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_a_users_when_it_made_or_owns_them() {
        let text = "       key      semid perms      nsems   uid   gid  cuid  cgid\n\
                    0          3   600          1 70111 70111 70111 70111\n\
                    7          4   600          1     0     0 70111     0\n\
                    7          5   666          1 70112 70112 70112 70112\n";
        assert_eq!(owned(text, "semid", 70_111), ["3", "4"]);
        assert!(owned(text, "shmid", 70_111).is_empty());
        assert!(owned("", "semid", 1).is_empty());
    }
}
