//! Each attempt is made in a process of its own, once with the sandbox and once without: refused, and
//! possible. A machine whose kernel lacks one of the two is told by the test's name.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::net::UdpSocket;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use libc::c_long;

use super::Controls;
use super::Network;
use super::Sandbox;
use super::calls::FILE_FLAGS;
use super::calls::Whose;
use super::calls::refused;
use super::exec_confined;
use super::keep_control_plane;

/// Folder of the attempts, for the process that makes them.
const FOLDER: &str = "AIPRESS_SANDBOX_TEST";
/// Set when the attempts are made from within.
const INSIDE: &str = "AIPRESS_SANDBOX_TEST_INSIDE";
/// Refused calls that do something when they are not, whatever their arguments are.
const NOT_WITHOUT: &[c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// What came of it: a line for each attempt.
fn attempts(inside: bool) -> String {
    told_by("sandbox::tests::try_all", inside)
}

/// What a test says that is run in a process of its own.
fn told_by(test: &str, inside: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    for name in ["own", "read", "other"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("file"), "text").unwrap();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .env_remove(INSIDE);
    if inside {
        child.env(INSIDE, "1");
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn outcome<'a>(said: &'a str, what: &str) -> &'a str {
    let mark = format!("attempt {what}: ");
    said.lines()
        .find_map(|line| line.split_once(&mark))
        .unwrap_or_else(|| panic!("{what} in {said}"))
        .1
}

#[test]
fn files_of_others_are_out_of_reach_with_landlock_and_in_reach_without() {
    if !Controls::of_this_machine().files {
        eprintln!("skipped: this kernel has no Landlock (Linux 5.13, `lsm=` with landlock)");
        return;
    }
    let (inside, outside) = (attempts(true), attempts(false));
    let others = [
        "read another's file",
        "list another's folder",
        "read by a way around",
        "write another's file",
        "write what is to be read",
        "make a file in another's folder",
        "remove another's file",
        "move own file to another's folder",
        "link another's file into own folder",
        "make a socket",
    ];
    for what in others {
        assert_ne!(outcome(&inside, what), "done", "{what}");
        assert_eq!(outcome(&outside, what), "done", "{what}");
    }
    for own in ["read own file", "write own file", "read what is to be read", "find the machine"] {
        assert_eq!(outcome(&inside, own), "done", "{own}");
    }
}

#[test]
fn calls_that_lead_further_are_refused_by_seccomp_and_answered_without() {
    if !Controls::of_this_machine().calls {
        eprintln!("skipped: this kernel has no seccomp filters");
        return;
    }
    let (inside, outside) = (attempts(true), attempts(false));
    for call in refused(Whose::Role(Network::Unix)) {
        let what = format!("call {call}");
        assert_eq!(outcome(&inside, &what), errno(libc::EPERM), "{what}");
    }
    // Those that any process may make of itself: without the filter the kernel looks at what it is
    // given, which is nonsense.
    for call in [libc::SYS_execve, libc::SYS_memfd_create, libc::SYS_setgroups, libc::SYS_semget] {
        let what = format!("call {call}");
        assert_ne!(outcome(&outside, &what), errno(libc::EPERM), "{what}");
    }
    for what in ["start a program", "socket of netlink", "socket of packets", "TCP", "UDP"] {
        assert_ne!(outcome(&inside, what), "done", "{what}");
        if what != "socket of packets" || rustix::process::geteuid().is_root() {
            assert_eq!(outcome(&outside, what), "done", "{what}");
        }
    }
    for own in ["Unix socket", "thread", "names"] {
        assert_eq!(outcome(&inside, own), "done", "{own}");
    }
    assert_eq!(outcome(&inside, "x32"), errno(libc::EPERM));
    assert_eq!(outcome(&inside, "executable memory"), errno(libc::EPERM));
    assert_eq!(outcome(&outside, "executable memory"), "done");
}

#[test]
fn a_role_that_calls_outwards_finds_names_and_opens_no_door() {
    let (inside, outside) = (told_by(CALLING, true), told_by(CALLING, false));
    // The C library asks the kernel for its addresses by netlink first, and does without.
    for own in ["find a name", "connect", "datagram"] {
        assert_eq!(outcome(&inside, own), "done", "{own}");
    }
    assert_eq!(outcome(&outside, "open a door"), "done");
    // Since Linux 6.7; without a Landlock that knows ports nothing refuses it.
    if outcome(&inside, "open a door") == "done" {
        eprintln!("not proved: binding a TCP port is refused, which this kernel can't");
    }
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let missing = Path::new("/nowhere/at/all");
    let error = Sandbox::new(Network::Unix).read(missing).enter().unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/at/all: "), "{error}");
}

#[test]
fn what_stays_root_keeps_the_rights_that_it_uses_and_no_way_into_the_kernel() {
    let (inside, outside) = (told_by(ROOT, true), told_by(ROOT, false));
    for right in ["load a module", "set the clock", "see packets", "make a device"] {
        assert_ne!(outcome(&inside, right), "done", "{right}");
        if rustix::process::geteuid().is_root() {
            // This machine may have no such right to give; then there is nothing to take.
            println!("without: {right}: {}", outcome(&outside, right));
        }
    }
    if rustix::process::geteuid().is_root() {
        assert_eq!(outcome(&outside, "make a device"), "done");
        assert_eq!(outcome(&outside, "see packets"), "done");
        for kept in ["give a file away", "become another user", "a mount of its own"] {
            assert_eq!(outcome(&inside, kept), outcome(&outside, kept), "{kept}");
        }
        assert_eq!(outcome(&inside, "give a file away"), "done");
    }
    if Controls::of_this_machine().calls {
        for call in refused(Whose::ControlPlane) {
            assert_eq!(outcome(&inside, &format!("call {call}")), errno(libc::EPERM), "{call}");
        }
        assert_ne!(outcome(&outside, &format!("call {}", libc::SYS_keyctl)), errno(libc::EPERM));
    }
}

#[test]
fn programs_of_sites_run_and_are_refused_what_no_site_needs() {
    if !Controls::of_this_machine().calls {
        eprintln!("skipped: this kernel has no seccomp filters");
        return;
    }
    let (inside, outside) = (told_by(SITE, true), told_by(SITE, false));
    for call in refused(Whose::Sites) {
        assert_eq!(outcome(&inside, &format!("call {call}")), errno(libc::EPERM), "{call}");
    }
    for call in [libc::SYS_unshare, libc::SYS_memfd_create, libc::SYS_keyctl] {
        assert_ne!(outcome(&outside, &format!("call {call}")), errno(libc::EPERM), "{call}");
    }
    assert_eq!(outcome(&inside, "namespace by clone"), errno(libc::EPERM));
    assert_eq!(outcome(&outside, "namespace by clone"), errno(libc::EINVAL));
    for what in ["socket of netlink", "socket of packets", "raw socket"] {
        assert_eq!(outcome(&inside, what), errno(libc::EPERM), "{what}");
    }
    assert_eq!(outcome(&outside, "socket of netlink"), "done");
    for request in FILE_FLAGS {
        let what = format!("ask for {request:x}");
        assert_eq!(outcome(&inside, &what), errno(libc::EPERM), "{what}");
        assert_eq!(outcome(&outside, &what), errno(libc::EBADF), "{what}");
    }
    assert_eq!(outcome(&inside, "ask for 5401"), errno(libc::EBADF), "whether it is a terminal");
    for own in
        ["start a program", "thread", "TCP", "Unix socket", "executable memory", "memory of all"]
    {
        assert_eq!(outcome(&inside, own), "done", "{own}");
    }
}

/// The tests below.
const ROOT: &str = "sandbox::tests::stay_root";
const SITE: &str = "sandbox::tests::run_for_a_site";
const INSIDE_SITE: &str = "AIPRESS_SANDBOX_TEST_SITE";

#[test]
#[ignore = "run by a test above in a process of its own"]
fn stay_root() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let at = |name: &str| Path::new(&folder).join(name);
    if std::env::var_os(INSIDE).is_some() {
        keep_control_plane().unwrap();
    }
    println!();
    // In a program that it starts, to which the kernel would give all rights that root may have.
    let device = format!("mknod '{}' c 1 3", at("own/device").display());
    let run = |script: &str| {
        let done = Command::new("/bin/sh").args(["-c", script]).status()?;
        if done.success() { Ok(()) } else { Err(io::Error::other("no")) }
    };
    let socket = |family| call(libc::SYS_socket, [family, libc::SOCK_RAW as c_long, 0, 0]);
    told("make a device", run(&device));
    told("see packets", socket(libc::AF_PACKET as c_long));
    told("load a module", call(libc::SYS_finit_module, [-1, 0, 0, 0]));
    told("set the clock", call(libc::SYS_clock_settime, [-1, 0, 0, 0]));
    told("give a file away", std::os::unix::fs::chown(at("own/file"), Some(65_001), Some(65_001)));
    told("become another user", run("setpriv --reuid=65001 --regid=65001 --clear-groups true"));
    told("a mount of its own", run("unshare --mount mount -t tmpfs none /mnt"));
    for number in refused(Whose::ControlPlane) {
        told(&format!("call {number}"), call(number, [-1; 4]));
    }
}

#[test]
#[ignore = "run by a test above in a process of its own"]
fn run_for_a_site() {
    if std::env::var_os(INSIDE).is_some() && std::env::var_os(INSIDE_SITE).is_none() {
        // As php-fpm is started: this same program again, confined.
        let own = std::env::current_exe().unwrap().into_os_string();
        let words = ["--exact", SITE, "--ignored", "--nocapture"].map(Into::into);
        let again = ["/usr/bin/env".into(), format!("{INSIDE_SITE}=1").into(), own];
        let _ = exec_confined(again.into_iter().chain(words));
        panic!("the program was not run");
    }
    println!();
    told("start a program", Command::new("/bin/true").status());
    told("thread", std::thread::Builder::new().spawn(|| ()).map(|it| it.join().unwrap()));
    told("TCP", TcpListener::bind("127.0.0.1:0"));
    told("Unix socket", UnixStream::pair());
    let socket = |family, kind: i32| call(libc::SYS_socket, [family, kind as c_long, 0, 0]);
    told("socket of netlink", socket(libc::AF_NETLINK as c_long, libc::SOCK_DGRAM));
    told("socket of packets", socket(libc::AF_PACKET as c_long, libc::SOCK_RAW));
    told("raw socket", socket(libc::AF_INET as c_long, libc::SOCK_RAW | libc::SOCK_CLOEXEC));
    // What PCRE's compiler does, and what plugins with shared memory do.
    let own = &raw const SPARE as c_long & !4095;
    let executable = (libc::PROT_READ | libc::PROT_EXEC) as c_long;
    told("executable memory", call(libc::SYS_mprotect, [own, 4096, executable, 0]));
    let memory = call(libc::SYS_shmget, [0, 4096, 0o600, 0]);
    if let Ok(id) = memory {
        let _ = call(libc::SYS_shmctl, [id, 0, 0, 0]);
    }
    told("memory of all", memory);
    // Refused by the kernel itself whoever asks: a namespace, with what it excludes.
    let both = (libc::CLONE_NEWNS | libc::CLONE_FS) as c_long;
    told("namespace by clone", call(libc::SYS_clone, [both, 0, 0, 0]));
    for request in FILE_FLAGS.into_iter().chain([libc::TCGETS]) {
        let asked = call(libc::SYS_ioctl, [-1, request as c_long, -1, 0]);
        told(&format!("ask for {request:x}"), asked);
    }
    for number in refused(Whose::Sites) {
        told(&format!("call {number}"), call(number, [-1; 4]));
    }
}

/// The test below.
const CALLING: &str = "sandbox::tests::call_outwards";

#[test]
#[ignore = "run by a test above in a process of its own"]
fn call_outwards() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    if std::env::var_os(INSIDE).is_some() {
        Sandbox::new(Network::Outgoing).enter().unwrap();
    }
    println!();
    let found = ("localhost", 80).to_socket_addrs();
    told("find a name", found.and_then(|mut all| all.next().ok_or(io::Error::other("nobody"))));
    told("connect", TcpStream::connect(server.local_addr().unwrap()));
    told("datagram", UdpSocket::bind("127.0.0.1:0"));
    told("open a door", TcpListener::bind("127.0.0.1:0"));
}

#[test]
#[ignore = "run by the tests above in a process of its own"]
fn try_all() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let at = |name: &str| Path::new(&folder).join(name);
    if std::env::var_os(INSIDE).is_some() {
        let sandbox = Sandbox::new(Network::Unix).write(at("own")).read(at("read"));
        assert_eq!(sandbox.enter().unwrap(), Controls::of_this_machine());
    }
    println!();
    files(&at);
    told("start a program", Command::new("/bin/true").status());
    told("thread", std::thread::Builder::new().spawn(|| ()).map(|it| it.join().unwrap()));
    told("TCP", TcpListener::bind("127.0.0.1:0"));
    told("UDP", UdpSocket::bind("127.0.0.1:0"));
    told("Unix socket", UnixStream::pair());
    let socket = |family| call(libc::SYS_socket, [family, libc::SOCK_RAW as c_long, 0, 0]);
    told("socket of netlink", socket(libc::AF_NETLINK as c_long));
    told("socket of packets", socket(libc::AF_PACKET as c_long));
    // A page of this process made executable: what is loaded by a library is mapped so at once.
    let own = &raw const SPARE as c_long & !4095;
    let executable = (libc::PROT_READ | libc::PROT_EXEC) as c_long;
    told("executable memory", call(libc::SYS_mprotect, [own, 4096, executable, 0]));
    told("x32", call(0x4000_0000 + libc::SYS_getpid, [0; 4]));
    told("names", std::fs::read_to_string("/etc/hosts"));
    for number in refused(Whose::Role(Network::Unix)) {
        if std::env::var_os(INSIDE).is_some() || !NOT_WITHOUT.contains(&number) {
            told(&format!("call {number}"), call(number, [-1; 4]));
        }
    }
}

/// Something that is nowhere executed.
static SPARE: [u8; 8192] = [0; 8192];

fn files(at: &dyn Fn(&str) -> std::path::PathBuf) {
    told("read own file", fs::read(at("own/file")));
    told("write own file", fs::write(at("own/new"), "more"));
    told("read what is to be read", fs::read(at("read/file")));
    told("find the machine", fs::read("/proc/self/status"));
    told("read another's file", fs::read(at("other/file")));
    told("list another's folder", fs::read_dir(at("other")));
    told("read by a way around", fs::read(at("own/../other/file")));
    told("write another's file", fs::OpenOptions::new().append(true).open(at("other/file")));
    told("write what is to be read", fs::write(at("read/file"), "text"));
    told("make a file in another's folder", fs::write(at("other/new"), "text"));
    told("move own file to another's folder", fs::rename(at("own/new"), at("other/moved")));
    told("link another's file into own folder", fs::hard_link(at("other/file"), at("own/link")));
    told("remove another's file", fs::remove_file(at("other/file")));
    told("make a socket", UnixListener::bind(at("own/socket")));
}

fn told<T>(what: &str, result: io::Result<T>) {
    let said = match result {
        Ok(_) => "done".to_owned(),
        Err(error) => error.raw_os_error().map_or_else(|| error.to_string(), errno),
    };
    println!("attempt {what}: {said}");
}

fn errno(number: i32) -> String {
    format!("errno {number}")
}

#[expect(unsafe_code, reason = "calls that the libraries have no words for")]
fn call(number: c_long, arguments: [c_long; 4]) -> io::Result<c_long> {
    let [a, b, c, d] = arguments;
    // SAFETY: -1 is no address, descriptor or id that exists, so that the kernel refuses what is not
    // refused by the filter; the others are calls whose arguments are numbers, and one that changes
    // how a static that nobody uses may be used. This process ends after its attempts.
    let result = unsafe { libc::syscall(number, a, b, c, d) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
