//! Attacks on the opening of files, each shown to matter: what the plain call gives, and ours not.

use std::{
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
};

use rustix::{fs::mkfifoat, process::geteuid};
use tempfile::TempDir;

use super::*;

/// A site with a file, beside a neighbour with a secret.
struct Folders {
    dir: TempDir,
}

impl Folders {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("site/a/b")).unwrap();
        fs::create_dir_all(dir.path().join("neighbour")).unwrap();
        fs::write(dir.path().join("site/a/b/file.txt"), "mine").unwrap();
        fs::write(dir.path().join("neighbour/secret.txt"), "secret").unwrap();
        Self { dir }
    }

    fn site(&self) -> std::path::PathBuf {
        self.dir.path().join("site")
    }
}

fn me() -> Owner {
    Owner::User(geteuid().as_raw())
}

fn read(opened: OpenedFile) -> String {
    let mut text = String::new();
    fs::File::from(opened.file).read_to_string(&mut text).unwrap();
    text
}

/// All three ways to the same file.
fn attempts(root: &Path, file: &str) -> [Result<(), String>; 3] {
    let shown = |error: OpenError| error.to_string();
    let by_call = |wait| open_beneath(root, file.as_bytes(), me(), wait).map(drop).map_err(shown);
    let each = open_each(root, file.as_bytes())
        .map_err(|errno| refusal(errno, Wait::Disk))
        .and_then(|fd| check(&fstat(&fd).unwrap(), me()));
    [by_call(Wait::Disk), by_call(Wait::Cached), each.map_err(shown)]
}

fn refused(root: &Path, file: &str) {
    for (way, attempt) in attempts(root, file).into_iter().enumerate() {
        assert!(attempt.is_err(), "{file} by way {way}");
    }
}

#[test]
fn opens_what_is_there() {
    let folders = Folders::new();
    let opened = open_beneath(&folders.site(), b"a/b/file.txt", me(), Wait::Disk).unwrap();
    assert_eq!(opened.len, 4);
    assert_eq!(read(opened), "mine");
    assert!(attempts(&folders.site(), "a/b/file.txt").iter().all(Result::is_ok));
    for missing in ["a/b/none", "a/b", "a/b/file.txt/x", "x/y", "a"] {
        refused(&folders.site(), missing);
    }
}

#[test]
fn no_way_out_by_dots_or_absolute_paths() {
    let folders = Folders::new();
    assert!(folders.site().join("../neighbour/secret.txt").exists());
    let absolute = folders.dir.path().join("neighbour/secret.txt");
    for path in ["../neighbour/secret.txt", "a/../../neighbour/secret.txt", "/etc/passwd"] {
        refused(&folders.site(), path);
    }
    refused(&folders.site(), absolute.to_str().unwrap());
}

#[test]
fn no_way_out_by_links() {
    let folders = Folders::new();
    let site = folders.site();
    symlink("../neighbour/secret.txt", site.join("file-link")).unwrap();
    symlink("../neighbour", site.join("folder-link")).unwrap();
    symlink("/proc/self/root", site.join("magic")).unwrap();
    symlink("a/b/file.txt", site.join("inner-link")).unwrap();
    // The guard matters: a plain read follows.
    assert_eq!(fs::read_to_string(site.join("file-link")).unwrap(), "secret");
    assert_eq!(fs::read_to_string(site.join("folder-link/secret.txt")).unwrap(), "secret");
    assert!(fs::read(site.join("magic/etc/passwd")).is_ok());
    for path in ["file-link", "folder-link/secret.txt", "magic/etc/passwd", "inner-link"] {
        refused(&site, path);
    }
}

#[test]
fn no_waiting_for_fifos_sockets_and_devices() {
    let folders = Folders::new();
    let site = folders.site();
    let mode = Mode::from_raw_mode(0o644);
    mkfifoat(CWD, site.join("fifo.txt"), mode).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.join("socket.txt")).unwrap();
    // A plain open of the FIFO would wait for ever for its writer; ours is back.
    refused(&site, "fifo.txt");
    refused(&site, "socket.txt");
}

#[test]
fn hard_links_carry_their_owner() {
    let folders = Folders::new();
    let site = folders.site();
    fs::hard_link(folders.dir.path().join("neighbour/secret.txt"), site.join("hard.txt")).unwrap();
    // The guard matters: nothing else tells it from a file of the site.
    assert_eq!(fs::read_to_string(site.join("hard.txt")).unwrap(), "secret");
    let somebody_else = Owner::User(geteuid().as_raw().wrapping_add(1));
    let open = |owner| open_beneath(&site, b"hard.txt", owner, Wait::Disk);
    if geteuid().is_root() {
        rustix::fs::chown(site.join("hard.txt"), Some(rustix::fs::Uid::from_raw(12_345)), None)
            .unwrap();
        assert!(matches!(open(Owner::User(12_346)), Err(OpenError::Forbidden)));
        assert!(open(Owner::User(12_345)).is_ok());
    } else {
        assert!(matches!(open(somebody_else), Err(OpenError::Forbidden)));
    }
    assert!(open(Owner::Any).is_ok());
}

#[test]
fn what_root_keeps_from_others_stays_so() {
    if !geteuid().is_root() {
        return;
    }
    let folders = Folders::new();
    let file = folders.site().join("a/b/file.txt");
    let open = || open_beneath(&folders.site(), b"a/b/file.txt", Owner::User(4711), Wait::Disk);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(open(), Err(OpenError::Forbidden)));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(open().is_ok());
}

/// Names that are exchanged while they are looked up: a folder that is a link every other moment.
#[test]
fn exchanging_names_wins_no_race() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let folders = Folders::new();
    let site = folders.site();
    fs::create_dir(site.join("real")).unwrap();
    fs::write(site.join("real/secret.txt"), "mine").unwrap();
    symlink("../neighbour", site.join("link")).unwrap();
    let done = AtomicBool::new(false);
    let stolen = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let (real, link) = (site.join("real"), site.join("link"));
                let _ = rustix::fs::renameat_with(CWD, real, CWD, link, flags);
            }
        });
        let (mut stolen, mut plainly_stolen, mut tries) = (0, 0, 0);
        // The guard matters: go on until a plain read was fooled, too.
        while tries < 2000 || plainly_stolen == 0 {
            tries += 1;
            assert!(tries < 1_000_000, "the names are never exchanged");
            let by_call = open_beneath(&site, b"real/secret.txt", me(), Wait::Disk).map(read);
            let each = open_each(&site, b"real/secret.txt").map(|fd| {
                let mut text = String::new();
                fs::File::from(fd).read_to_string(&mut text).unwrap();
                text
            });
            let plain = fs::read_to_string(site.join("real/secret.txt"));
            stolen += usize::from(by_call.is_ok_and(|text| text == "secret"));
            stolen += usize::from(each.is_ok_and(|text| text == "secret"));
            plainly_stolen += usize::from(plain.is_ok_and(|text| text == "secret"));
        }
        done.store(true, Ordering::Relaxed);
        stolen
    });
    assert_eq!(stolen, 0);
}
