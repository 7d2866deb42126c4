//! What the machine has: programs, user, disk, port.

use std::net::TcpListener;
use std::path::Path;

use aipress_drivers::DataPaths;
use aipress_drivers::local::fpm::NICE;
use aipress_drivers::local::fpm::PhpInstall;
use aipress_drivers::local::fpm::is_confined;
use aipress_drivers::local::mariadb::MariadbOptions;
use aipress_drivers::local::quota;
use aipress_drivers::local::quota::NoQuotas;
use aipress_drivers::local::redis::RedisOptions;
use aipress_drivers::local::share;
use aipress_kit::sandbox::Controls;
use aipress_supervise::control;
use aipress_types::ShardId;

use crate::core;
use crate::data;
use crate::doctor::Check;
use crate::firewall;
use crate::settings::Settings;

/// Below this much free disk the platform is in danger, in bytes.
const DISK_NEEDED: u64 = 2_000_000_000;
/// Open files that a process should be allowed.
const FILES_NEEDED: u64 = 4_096;
/// What installs everything that is missing.
const INSTALL: &str = "`make up` installs it (or `sudo scripts/install` alone)";

/// All of them.
pub(super) fn checks(paths: &DataPaths, settings: &Settings) -> Vec<Check> {
    vec![
        user(),
        program("MariaDB", MariadbOptions::detect().map(|found| shown(&found.mariadbd))),
        program("Redis", RedisOptions::detect().map(|found| shown(&found.redis_server))),
        program(
            "PHP",
            PhpInstall::detect().map(|php| format!("{} {}", shown(&php.fpm), php.version)),
        ),
        confinement(),
        sandbox(),
        connections(paths, settings),
        shares(paths),
        quotas(paths),
        cores(paths),
        disk(paths),
        files(),
        port(paths, settings),
    ]
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn user() -> Check {
    if data::is_root() {
        return Check::good("user", "root: each site gets a Unix user of its own");
    }
    Check::warning(
        "user",
        "not root: all sites run as this one user and are NOT isolated from each other",
        "run `make up` as root to isolate sites",
    )
}

fn program<E: std::fmt::Display>(name: &str, found: Result<String, E>) -> Check {
    match found {
        Ok(what) => Check::good(name, what),
        Err(error) => Check::bad(name, error.to_string(), INSTALL),
    }
}

fn confinement() -> Check {
    let name = "confinement";
    if !data::is_root() {
        return Check::warning(name, "PHP may load native code of a site", "run `make up` as root");
    }
    if is_confined() {
        return Check::good(name, "PHP loads no code from where a site can write");
    }
    Check::warning(
        name,
        "this machine allows no mount namespaces: a site that loads native code into PHP could \
         reach its shard's other sites",
        "give the container CAP_SYS_ADMIN, or host untrusted sites elsewhere",
    )
}

/// What the platform's roles are held to, those that read what strangers send most.
fn sandbox() -> Check {
    let name = "sandbox";
    let controls = Controls::of_this_machine();
    let lacks = match controls {
        Controls { files: true, calls: true } => {
            let found = "edge, gateways and meta reach their own files only (Landlock), and start \
                         nothing (seccomp); calls that they have no use for are refused to sites' \
                         PHP, and to the control planes of shards";
            return Check::good(name, found);
        }
        Controls { files: false, calls: true } => {
            "no Landlock: a role that is taken over reads what \
                                                  its Unix user may"
        }
        Controls { files: true, calls: false } => {
            "no seccomp: a role that is taken over may start \
                                                  programs"
        }
        Controls { files: false, calls: false } => {
            "neither Landlock nor seccomp: a role that is \
                                                   taken over does what its Unix user may"
        }
    };
    Check::warning(
        name,
        format!("this kernel has {lacks}"),
        "take Linux 5.13 or newer with CONFIG_SECCOMP_FILTER, and `landlock` in `lsm=` at boot",
    )
}

/// What holds sites to their disks: tried anew, where the shards are.
fn quotas(paths: &DataPaths) -> Check {
    let folder = [paths.shards(), paths.root().to_owned()].into_iter().find(|dir| dir.exists());
    match folder {
        Some(folder) => said_of_quotas(quota::look(&folder)),
        None => Check::good("quotas", "looked for by `aipress up`, in the data folder"),
    }
}

fn said_of_quotas(found: Result<&str, NoQuotas>) -> Check {
    match found {
        Ok(file_system) => Check::good(
            "quotas",
            format!("project quotas ({file_system}): no file of a site goes over its disk"),
        ),
        // No warning: sites are held, and most machines have none.
        Err(no) => Check::good(
            "quotas",
            format!(
                "no project quotas ({}): sites' files are looked at every second, a site over its \
                 limit writes for some seconds more; to get them, {}",
                no.why, no.remedy
            ),
        ),
    }
}

/// What sites are held to. Files, databases and cache are looked after by the shard everywhere.
fn shares(paths: &DataPaths) -> Check {
    let name = "shares";
    let always = "workers, open files, time, files (see `quotas`), database, its queries, cache";
    if !data::is_root() {
        let found = format!("sites are held to their tiers in {always}; not in CPU and memory");
        return Check::warning(name, found, "run `make up` as root");
    }
    if !control::socket_path(&paths.run()).exists() {
        return Check::good(name, "control groups are looked for by `aipress up`");
    }
    let Some(shard) = ShardId::from_number(1) else { return Check::good(name, always) };
    let controls = share::controls(&paths.shard(shard));
    let all =
        [("CPU", controls.cpu), ("memory", controls.memory), ("processes", controls.processes)];
    let of = |wanted: bool| {
        let names: Vec<&str> =
            all.iter().filter(|(_, held)| *held == wanted).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let held = of(true);
    if of(false).is_empty() {
        return Check::good(
            name,
            format!(
                "sites are held to their tiers in {held} (control groups, version {}), {always}; \
                 PHP has nice {} and rlimits",
                share::version().unwrap_or_default(),
                NICE
            ),
        );
    }
    Check::warning(
        name,
        format!(
            "no control group for {}: one site may slow the others down; all are held to their \
             tiers in {always}, and a process to 1 GiB of memory",
            of(false)
        ),
        "mount /sys/fs/cgroup writable, with the controllers cpu, memory and pids",
    )
}

fn connections(paths: &DataPaths, settings: &Settings) -> Check {
    let name = "connections";
    let Some(firewall) = firewall::of(paths, settings) else {
        let found = "sites may connect to this machine's other services and to private networks";
        return Check::warning(name, found, "run `make up` as root");
    };
    let runs = control::socket_path(&paths.run()).exists();
    let open = |found: String, remedy: &str| {
        let found = format!("{found}: sites may connect to private networks and cloud metadata");
        Check::warning(name, found, remedy)
    };
    match firewall.is_there() {
        Ok(true) => Check::good(
            name,
            format!(
                "sites reach no private network{} and no cloud metadata (nftables, table {})",
                opened(settings),
                firewall.table()
            ),
        ),
        Ok(false) if runs => open(
            format!("table {} of nftables is not there", firewall.table()),
            "`aipress up` puts it back within 10 s; its log says why when it can't",
        ),
        Ok(false) => Check::good(name, "nftables is there for `aipress up`"),
        Err(error) => open(
            error.to_string(),
            "`sudo scripts/install` brings nftables; in a container give CAP_NET_ADMIN",
        ),
    }
}

/// What the operator opened, in words.
fn opened(settings: &Settings) -> String {
    let openings: Vec<String> = settings.outgoing.allow.iter().map(ToString::to_string).collect();
    match openings.as_slice() {
        [] => String::new(),
        some => format!(" but {} (`outgoing.allow`)", some.join(", ")),
    }
}

fn cores(paths: &DataPaths) -> Check {
    let name = "WordPress";
    match core::store(paths).list() {
        Ok(cores) if cores.is_empty() => Check::warning(
            name,
            "no core is there yet",
            "`aipress up` gets the newest, `aipress core fetch VERSION` any other",
        ),
        Ok(cores) => {
            let versions: Vec<String> =
                cores.iter().map(|core| core.manifest.version.to_string()).collect();
            Check::good(name, versions.join(", "))
        }
        Err(error) => Check::bad(name, error.to_string(), "see that the data folder is readable"),
    }
}

fn disk(paths: &DataPaths) -> Check {
    let name = "disk";
    // The folder may not be there yet: ask its first parent that is.
    let place = paths.root().ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(place) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let found = format!("{:.1} GB free in {}", free as f64 / 1e9, place.display());
            if free >= DISK_NEEDED {
                Check::good(name, found)
            } else {
                Check::bad(name, found, "free some, or choose another folder with --data")
            }
        }
        Err(error) => Check::bad(name, error.to_string(), "see that the data folder is readable"),
    }
}

fn files() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let found = format!("{most} open files a process");
    if most >= FILES_NEEDED {
        return Check::good("limits", found);
    }
    Check::warning("limits", found, "raise the hard limit (`ulimit -Hn`) before `aipress up`")
}

fn port(paths: &DataPaths, settings: &Settings) -> Check {
    let name = "port";
    let listen = settings.listen;
    if control::socket_path(&paths.run()).exists() {
        return Check::good(name, format!("{listen}, held by the platform"));
    }
    match TcpListener::bind(listen) {
        Ok(_) => Check::good(name, format!("{listen} is free")),
        Err(error) => Check::bad(
            name,
            format!("{listen}: {error}"),
            "`aipress up` says who has it; give another one with --listen",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_what_holds_sites_to_their_disks() {
        let held = said_of_quotas(Ok("ext4"));
        assert_eq!(held.found, "project quotas (ext4): no file of a site goes over its disk");
        let (why, remedy) = ("tmpfs: it knows no projects".to_owned(), "put it on XFS".to_owned());
        let counted = said_of_quotas(Err(NoQuotas { why, remedy })).found;
        assert!(
            counted.starts_with("no project quotas (tmpfs: it knows no projects)"),
            "{counted}"
        );
        assert!(counted.ends_with("to get them, put it on XFS"), "{counted}");
    }
}
