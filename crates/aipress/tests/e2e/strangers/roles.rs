//! The platform's own processes: each is the user that it should be, with no right left over, and
//! what lies in the data folder is nobody's who has no business with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use aipress_testkit::Platform;

use super::attack::Site;

/// Where the kernel says which of seccomp's actions it knows; without it there is no seccomp.
const SECCOMP: &str = "/proc/sys/kernel/seccomp/actions_avail";
/// Sockets that every user may connect to: PHP of all sites does, and is known by the kernel's word
/// or by its password.
const OPEN_SOCKETS: [&str; 3] = ["mail.sock", "mariadb.sock", "redis.sock"];
/// Files that hold secrets, and who may read them besides root.
const SECRETS: [(&str, Owner); 8] = [
    ("master.key", Owner::Meta),
    ("meta/admin-token", Owner::Meta),
    ("meta/registry.db", Owner::Meta),
    ("run/tokens/roles.json", Owner::Meta),
    ("run/tokens/edge", Owner::Edge),
    ("run/tokens/aipress-shard-001", Owner::Root),
    ("shards/aipress-shard-001/key", Owner::Root),
    ("shards/aipress-shard-001/mariadb/admin.json", Owner::Root),
];

/// What php-fpm's masters keep of root's rights (capabilities(7)): `CHOWN`, `DAC_OVERRIDE`, `FOWNER`,
/// `KILL`, `SETGID`, `SETUID`, `SETPCAP`.
const PHP_RIGHTS: u64 = 1 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8;
/// And a shard's control plane: `DAC_READ_SEARCH`, `FSETID`, `SYS_ADMIN`, `SYS_RESOURCE`, and
/// `SYS_PTRACE` where the machine hides processes.
const CONTROL_PLANE_RIGHTS: u64 = PHP_RIGHTS | 1 << 2 | 1 << 4 | 1 << 19 | 1 << 21 | 1 << 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Root,
    Meta,
    Edge,
    Mariadb,
    Redis,
    Gateway,
    /// The site's.
    Slot,
}

/// What `/proc/PID/status` says of a process.
struct Status(BTreeMap<String, String>);

impl Status {
    fn of(pid: i32) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
    }

    fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A set of rights, as bits.
    fn rights(&self, name: &str) -> u64 {
        u64::from_str_radix(self.field(name), 16).unwrap()
    }

    /// Real, effective, saved and of the file system: all the same one.
    fn only_id(&self, name: &str) -> u32 {
        let ids: Vec<u32> =
            self.field(name).split_whitespace().map(|id| id.parse().unwrap()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{name}: {ids:?}");
        ids[0]
    }
}

/// User, groups, rights, sandbox, core files of each role and server.
pub(super) async fn no_process_has_a_right_left_over(platform: &Platform, site: &Site) {
    let meta = fs::metadata(platform.path("meta")).unwrap().uid();
    let slot_one = fs::metadata(platform.path("shards/aipress-shard-001/gateway")).unwrap().uid();
    let shard = slot_one - 2;
    let id = |owner| match owner {
        Owner::Root => 0,
        Owner::Meta => meta,
        Owner::Edge => meta + 1,
        Owner::Mariadb => shard,
        Owner::Redis => shard + 1,
        Owner::Gateway => shard + 2,
        Owner::Slot => site.user,
    };
    let worker = site.run("return 'pid=' . getmypid() . ';';").await;
    let worker: i32 = worker
        .split_once("pid=")
        .and_then(|(_, rest)| rest.split(';').next()?.parse().ok())
        .expect("a worker of the site");
    let mut processes = vec![("a site's PHP".to_owned(), Owner::Slot, worker)];
    let units = [
        ("meta", Owner::Meta),
        ("edge", Owner::Edge),
        ("aipress-shard-001", Owner::Root),
        ("aipress-shard-001-gateway", Owner::Gateway),
        ("aipress-shard-001-php-fpm", Owner::Root),
        ("aipress-shard-001-mariadb", Owner::Mariadb),
        ("aipress-shard-001-redis", Owner::Redis),
    ];
    for (unit, owner) in units {
        processes.push((unit.to_owned(), owner, platform.pid(unit).await));
    }
    let supervisor = platform.processes().into_iter().find(|it| it.command.contains(" up "));
    leaves_no_core_file("the supervisor", supervisor.expect("the supervisor").pid);
    for (name, owner, pid) in processes {
        let status = Status::of(pid);
        assert_eq!(status.only_id("Uid"), id(owner), "{name}");
        assert_eq!(status.only_id("Gid"), id(owner), "{name}");
        let groups = status.field("Groups").split_whitespace().count();
        // The gateway reads what its sites' PHP has made: it has the groups of all slots.
        match owner {
            Owner::Gateway => assert_eq!(groups, 50, "{name}: {}", status.field("Groups")),
            Owner::Root => {}
            _ => assert!(groups <= 1, "{name}: {}", status.field("Groups")),
        }
        if owner != Owner::Root {
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(status.field(set), "0000000000000000", "{set} of {name}");
            }
        }
        assert_eq!(status.field("NoNewPrivs"), "1", "{name}");
        // Nothing is made that others could write, and by most nothing that they could read. (MariaDB
        // sets its own, with its group, which has nobody else in it.)
        let umask = u32::from_str_radix(status.field("Umask"), 8).unwrap();
        let least = if owner == Owner::Root { 0o022 } else { 0o006 };
        assert_eq!(umask & least, least, "{name}: {umask:o}");
        leaves_no_core_file(&name, pid);
        keeps_only_what_it_uses(&name, owner, &status);
        if matches!(owner, Owner::Meta | Owner::Edge | Owner::Gateway) {
            // Root's, as that of a process whose memory nobody else may see.
            let environ = fs::metadata(format!("/proc/{pid}/environ")).unwrap();
            assert_eq!((environ.uid(), environ.mode() & 0o777), (0, 0o400), "{name}");
            if Path::new(SECCOMP).exists() {
                assert_eq!(status.field("Seccomp"), "2", "{name} is in no sandbox");
            }
        }
    }
    for (name, owner) in SECRETS {
        let file = fs::metadata(platform.path(name)).unwrap();
        assert_eq!(file.uid(), id(owner), "{name}");
        assert_eq!(file.mode() & 0o077, 0, "{name}: {:o}", file.mode());
    }
    let own = fs::metadata(site.slot_dir.join("site.json")).unwrap();
    assert_eq!((own.uid(), own.gid(), own.mode() & 0o777), (0, site.user, 0o440), "site.json");
}

/// Rights and calls of those that are root, and of what becomes sites' users.
fn keeps_only_what_it_uses(name: &str, owner: Owner, status: &Status) {
    let (most, sets): (u64, &[&str]) = match owner {
        Owner::Root if name.ends_with("php-fpm") => (PHP_RIGHTS, &["CapPrm", "CapEff", "CapBnd"]),
        Owner::Root => (CONTROL_PLANE_RIGHTS, &["CapPrm", "CapEff", "CapBnd"]),
        Owner::Slot => (PHP_RIGHTS, &["CapBnd"]),
        _ => return,
    };
    for set in sets {
        assert_eq!(status.rights(set) & !most, 0, "{set} of {name}");
    }
    if Path::new(SECCOMP).exists() {
        assert_eq!(status.field("Seccomp"), "2", "{name} may make every call");
    }
}

fn leaves_no_core_file(name: &str, pid: i32) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let most: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(most, ["0", "0"], "{name}: {core}");
}

/// The data folder as a user sees it that owns nothing in it: nothing to change but sockets that are
/// meant for all, and no secret to read.
pub(super) fn nothing_in_the_data_folder_is_everybodys(platform: &Platform, secrets: &[String]) {
    let mut folders = vec![platform.data()];
    let (mut seen, mut wrong): (u32, Vec<String>) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        // What is made and removed meanwhile is a role's, which the next run sees.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            seen += 1;
            let (kind, mode) = (metadata.file_type(), metadata.mode());
            let is_open = kind.is_socket() && OPEN_SOCKETS.iter().any(|name| path.ends_with(name));
            if mode & 0o002 != 0 && !kind.is_symlink() && !is_open {
                wrong.push(format!("{} may be written by all: {mode:o}", path.display()));
            }
            if kind.is_dir() && mode & 0o001 != 0 && !is_public(platform, &path) {
                folders.push(path);
            } else if kind.is_file() && mode & 0o004 != 0 {
                let text = fs::read(&path).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                if secrets.iter().any(|secret| text.contains(secret.as_str())) {
                    wrong.push(format!("{} has a secret for all to read", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 20, "{seen} files were looked at");
}

/// WordPress itself and this program: tens of megabytes that anybody has.
fn is_public(platform: &Platform, path: &Path) -> bool {
    ["cores", "bin"].map(|name| platform.path(name)).contains(&PathBuf::from(path))
}
