//! Who is connected to a Unix socket, as the kernel lists it in `/proc/net/unix`: also who waits in
//! the backlog, whom the server has not seen yet.

use std::io;
use std::path::Path;

/// `SO_ACCEPTCON` in the column of flags: the listening socket itself.
const LISTENS: u32 = 1 << 16;

/// How many connections there are to the socket bound at `path`.
pub(super) fn count(path: &Path) -> io::Result<usize> {
    Ok(count_in(&std::fs::read_to_string("/proc/net/unix")?, path))
}

/// Columns (proc_pid_net(5)): `Num RefCount Protocol Flags Type St Inode Path`. The server's end
/// of a connection carries the path that it was made to; the client's end has none.
fn count_in(list: &str, path: &Path) -> usize {
    list.lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|columns| columns.get(7).is_some_and(|bound| Path::new(bound) == path))
        .filter(|columns| {
            u32::from_str_radix(columns[3], 16).is_ok_and(|flags| flags & LISTENS == 0)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn those_in_the_backlog_are_counted_and_the_listener_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("07-own.sock");
        assert_eq!(count(&path).unwrap(), 0);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(count(&path).unwrap(), 0);
        let waits = UnixStream::connect(&path).unwrap();
        assert_eq!(count(&path).unwrap(), 1, "in the backlog");
        let _other = UnixListener::bind(dir.path().join("08-own.sock")).unwrap();
        let (taken, _) = listener.accept().unwrap();
        let _second = UnixStream::connect(&path).unwrap();
        assert_eq!(count(&path).unwrap(), 2);
        drop((waits, taken));
        assert_eq!(count(&path).unwrap(), 1);
    }
}
