//! php.ini and php-fpm.conf of a shard: one master, fifty fixed pools, one for each slot.
//!
//! Making or removing a site changes nothing here and reloads nothing. A pool starts its workers
//! when a request comes and ends them when idle. Which tenant it is comes with the request.
//!
//! Beside it a slot can have a master of its own: the same pool under another socket, so that
//! nobody else shares the opcode cache with it.

use std::path::Path;
use std::path::PathBuf;

use aipress_types::ShardId;
use sha2::Digest;
use sha2::Sha256;

use super::confine::confined;
use super::confine::patient;
use super::confine::without_needless_calls;
use super::install::PhpInstall;
use crate::error::DriverError;
use crate::layout::ShardPaths;
use crate::layout::Slot;
use crate::layout::check_socket;
use crate::local::beneath;
use crate::local::ensure_dir;
use crate::local::ensure_shard_dirs;
use crate::uids::ShardIds;
use crate::unit::UnitCommand;

/// Functions that no site may call. The first group looks into or empties the opcode cache, which
/// the pools of a master share. The second starts processes: they would outlive a request, escape
/// the limits of a pool and, without root, its end. WordPress needs none of them.
pub const DISABLED_FUNCTIONS: &[&str] = &[
    "opcache_reset",
    "opcache_get_status",
    "opcache_get_configuration",
    "exec",
    "passthru",
    "shell_exec",
    "system",
    "proc_open",
    "popen",
    "pcntl_exec",
    "pcntl_fork",
    "dl",
    // The platform's own take their places, see `php/functions.php` and `php/mail.php`.
    "fastcgi_finish_request",
    "mail",
];

/// Path that a pool answers `pong` to, without running PHP. No site has it: the gateway refuses
/// names that begin with a dot.
pub const PING_PATH: &str = "/.aipress/ping";

/// Open files of a worker at most. A page needs some twenty; and a site with its most workers can't
/// take all of the database server's connections by sockets that never sign in.
pub(crate) const OPEN_FILES: u32 = 128;

/// Nice value of a worker: the servers that all sites wait for come first. Among workers the control
/// groups decide, where there are some. A scheduler of disks that heeds priorities takes it from
/// here as well (ioprio_set(2)).
pub const NICE: u32 = 5;

/// Where `open_basedir` is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenBasedir {
    /// By the pool: holds from the first byte of PHP on. PHP then keeps no resolved paths, which
    /// costs about 4 ms on each page that checks 300 files anew (every two seconds).
    Pool,
    /// By this file, run before every script (`auto_prepend_file`), which calls
    /// `ini_set('open_basedir', …)`: PHP keeps resolved paths then.
    Prepended(PathBuf),
}

/// Sizes and switches of a shard's php-fpm.
#[derive(Debug, Clone)]
pub struct PhpFpmOptions {
    /// The PHP to use.
    pub install: PhpInstall,
    /// Workers of one slot at most; a tenant's own limit is the gateway's.
    pub max_children: u32,
    /// An idle worker ends after this long, in seconds.
    pub idle_timeout_s: u32,
    /// Requests that a worker serves before it is replaced.
    pub max_requests: u32,
    /// A request that takes longer is ended, in seconds (`max_execution_time` counts CPU only).
    pub terminate_timeout_s: u32,
    /// Shared opcode cache, in MiB (`facts.md`: 512).
    pub opcache_mib: u32,
    /// Where `open_basedir` is set.
    pub open_basedir: OpenBasedir,
    /// The program that gives up what no site needs of root's rights and the kernel's calls, and
    /// becomes php-fpm then (`kit::sandbox::EXEC_VERB`).
    pub confined_by: Option<PathBuf>,
}

impl PhpFpmOptions {
    /// The sizes of `facts.md`.
    pub fn new(install: PhpInstall) -> Self {
        Self {
            install,
            max_children: 32,
            idle_timeout_s: 10,
            max_requests: 1000,
            terminate_timeout_s: 300,
            opcache_mib: 512,
            open_basedir: OpenBasedir::Pool,
            confined_by: None,
        }
    }
}

/// A php-fpm master of a shard. Masters share no memory, pools of one master do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Master {
    /// The shard's, with a pool for each slot.
    Shard,
    /// A slot's own, with the pool of this slot only.
    Own(Slot),
}

impl Master {
    /// Its configuration; its title names it.
    pub(crate) fn conf_file(self, paths: &ShardPaths) -> PathBuf {
        match self {
            Self::Shard => paths.php().join("php-fpm.conf"),
            Self::Own(slot) => paths.php().join(format!("php-fpm-{slot}.conf")),
        }
    }

    /// Its pid, written when it listens.
    pub(crate) fn pid_file(self, paths: &ShardPaths) -> PathBuf {
        match self {
            Self::Shard => paths.fpm().join("php-fpm.pid"),
            Self::Own(slot) => paths.fpm().join(format!("{slot}-own.pid")),
        }
    }

    /// Its pools' sockets, each with its slot.
    pub(crate) fn sockets(self, paths: &ShardPaths) -> Vec<(Slot, PathBuf)> {
        match self {
            Self::Shard => Slot::all().map(|slot| (slot, paths.fpm_socket(slot))).collect(),
            Self::Own(slot) => vec![(slot, paths.fpm_own_socket(slot))],
        }
    }
}

/// Name of the unit that is a slot's own master.
pub fn own_unit(shard: ShardId, slot: Slot) -> String {
    format!("{shard}-php-fpm-slot-{slot}")
}

/// Name of a slot's pool. It is in the title of its workers, and finds them when their master is
/// gone; so it carries which data folder it is of.
pub(crate) fn pool_name(paths: &ShardPaths, slot: Slot) -> String {
    let folder = Sha256::digest(paths.dir().as_os_str().as_encoded_bytes());
    format!("{}-{slot}-{}", paths.id(), hex::encode(&folder[..4]))
}

/// php.ini: what holds for all PHP of the shard, the command line included.
pub(crate) fn php_ini(paths: &ShardPaths, options: &PhpFpmOptions) -> String {
    let mut text = String::from("; Written by aipress at each start; changes are lost.\n[PHP]\n");
    for line in &options.install.extension_lines {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!(
        "
memory_limit=256M
max_execution_time=60
max_input_time=120
max_input_vars=5000
upload_max_filesize=100M
post_max_size=101M
max_file_uploads=50
default_charset=UTF-8
variables_order=GPCS
request_order=GP
output_buffering=4096
expose_php=0
allow_url_include=0
short_open_tag=0
display_errors=0
display_startup_errors=0
html_errors=0
log_errors=1
log_errors_max_len=4096
error_reporting=E_ALL & ~E_DEPRECATED
zend.exception_ignore_args=1
zend.assertions=-1
cgi.fix_pathinfo=0
date.timezone=UTC
realpath_cache_size=4096K
realpath_cache_ttl=120
user_ini.filename=
mail.add_x_header=0
; mail() is the platform's own.
sendmail_path=/bin/false

session.use_strict_mode=1
session.cookie_httponly=1
session.cookie_samesite=Lax
session.gc_probability=1
session.gc_divisor=1000
session.gc_maxlifetime=1440

opcache.enable=1
opcache.enable_cli=0
opcache.memory_consumption={opcache}
opcache.interned_strings_buffer={strings}
opcache.max_accelerated_files=20000
opcache.validate_timestamps=1
opcache.revalidate_freq=2
opcache.validate_permission=1
opcache.use_cwd=1
opcache.save_comments=1
opcache.jit=off
opcache.lockfile_path={home}
",
        opcache = options.opcache_mib,
        // Part of the above; php-fpm does not start when it does not fit.
        strings = (options.opcache_mib / 8).clamp(4, 32),
        home = paths.php().display(),
    ));
    text
}

/// php-fpm.conf of a master.
pub(crate) fn fpm_conf(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &PhpFpmOptions,
    master: Master,
) -> String {
    let mut text = format!(
        "; Written by aipress at each start; changes are lost.
[global]
pid={pid}
error_log={php}/php-fpm.log
log_limit=8192
daemonize=no
emergency_restart_threshold=0
process_control_timeout=10s
events.mechanism=epoll
",
        pid = master.pid_file(paths).display(),
        php = paths.php().display(),
    );
    for (slot, listen) in master.sockets(paths) {
        text.push_str(&pool(paths, ids, options, slot, &listen));
    }
    text
}

fn pool(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &PhpFpmOptions,
    slot: Slot,
    listen: &Path,
) -> String {
    let tmp = paths.slot_tmp(slot);
    let tmp = tmp.display();
    let owner = if ids.is_isolated() {
        let (own, gateway) = (ids.slot(slot), ids.gateway());
        // Only the gateway connects: a neighbour that reached this socket could say which file to
        // run as this slot's user.
        format!(
            "user={}\ngroup={}\nlisten.owner={}\nlisten.group={}\n",
            own.uid, own.gid, gateway.uid, gateway.gid
        )
    } else {
        String::new()
    };
    let basedir = match &options.open_basedir {
        OpenBasedir::Pool => format!("php_admin_value[open_basedir]={}\n", basedir(paths, slot)),
        OpenBasedir::Prepended(file) => {
            format!("php_admin_value[auto_prepend_file]={}\n", file.display())
        }
    };
    // What a site's PHP reports goes to the gateway, as FastCGI's standard error, and from there to
    // the site's own log. Caught by the master, it would go to a log of all sites, too, and a site
    // that reports a lot would keep the master busy.
    format!(
        "
[{name}]
{owner}listen={listen}
listen.mode=0600
listen.backlog=511
pm=ondemand
pm.max_children={children}
pm.process_idle_timeout={idle}s
pm.max_requests={requests}
request_terminate_timeout={terminate}s
rlimit_files={OPEN_FILES}
process.priority={NICE}
ping.path={PING_PATH}
security.limit_extensions=.php
clear_env=yes
catch_workers_output=no
{basedir}php_admin_value[disable_functions]={disabled}
php_admin_value[upload_tmp_dir]={tmp}
php_admin_value[sys_temp_dir]={tmp}
php_value[session.save_path]={tmp}/sessions
",
        name = pool_name(paths, slot),
        listen = listen.display(),
        children = options.max_children,
        idle = options.idle_timeout_s,
        requests = options.max_requests,
        terminate = options.terminate_timeout_s,
        disabled = DISABLED_FUNCTIONS.join(","),
    )
}

/// What a slot's PHP may open: its slot, its site (PHP resolves the link anew for each request),
/// the cores and the platform's PHP. Each ends with a slash: without it, it is a prefix.
pub fn basedir(paths: &ShardPaths, slot: Slot) -> String {
    let slot_dir = paths.slot(slot);
    let site = slot_dir.join("site");
    [slot_dir, site, paths.data().cores(), paths.data().php()]
        .iter()
        .map(|path| format!("{}/", path.display()))
        .collect::<Vec<_>>()
        .join(":")
}

/// Writes the configuration and says how to start the shard's master. Slots' folders are made by
/// `Files::ensure_slot`.
///
/// # Errors
/// `Invalid` for a socket path that is too long, `Io` from the machine.
pub fn prepare(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &PhpFpmOptions,
) -> Result<UnitCommand, DriverError> {
    write(paths, ids, options, Master::Shard)
}

/// Writes the configuration of a slot's own master and says how to start it.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_own(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &PhpFpmOptions,
    slot: Slot,
) -> Result<UnitCommand, DriverError> {
    write(paths, ids, options, Master::Own(slot))
}

/// How a slot's own master is started once [`prepare_own`] has run; writes nothing.
pub fn own_command(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &PhpFpmOptions,
    slot: Slot,
) -> UnitCommand {
    command(paths, ids, options, Master::Own(slot))
}

fn write(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &PhpFpmOptions,
    master: Master,
) -> Result<UnitCommand, DriverError> {
    for (_, socket) in master.sockets(paths) {
        check_socket(&socket)?;
    }
    ensure_shard_dirs(paths, ids)?;
    let root = ids.root();
    ensure_dir(&paths.php(), root, 0o755)?;
    ensure_dir(&paths.fpm(), root, 0o711)?;
    // Readable by all: the installer's command line PHP uses the same php.ini.
    let ini = php_ini(paths, options);
    beneath::write_if_differs(&ini_file(paths), ini.as_bytes(), root, 0o444)?;
    let conf = fpm_conf(paths, ids, options, master);
    beneath::write_if_differs(&master.conf_file(paths), conf.as_bytes(), root, 0o444)?;
    Ok(command(paths, ids, options, master))
}

/// php.ini, the same for all masters of the shard.
pub(in crate::local) fn ini_file(paths: &ShardPaths) -> PathBuf {
    paths.php().join("php.ini")
}

fn command(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &PhpFpmOptions,
    master: Master,
) -> UnitCommand {
    let first = master.sockets(paths).into_iter().next().map(|(_, socket)| socket);
    let command = UnitCommand {
        program: options.install.fpm.clone(),
        args: vec![
            "--nodaemonize".to_owned(),
            // Logs go to the supervisor whatever stderr is; `error_log` is opened but not used.
            "--force-stderr".to_owned(),
            format!("--php-ini={}", ini_file(paths).display()),
            format!("--fpm-config={}", master.conf_file(paths).display()),
        ],
        env: vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
            // Empty: the distribution's folder of ini files is not read.
            ("PHP_INI_SCAN_DIR".to_owned(), String::new()),
        ],
        umask: 0o027,
        ids: ids.root(),
        socket: first.unwrap_or_else(|| paths.fpm()),
    };
    let command = without_needless_calls(command, options.confined_by.as_deref());
    if ids.is_isolated() { confined(command, paths) } else { patient(command) }
}
