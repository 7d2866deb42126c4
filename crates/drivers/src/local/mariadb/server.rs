//! A MariaDB server for one shard: its configuration, its first data folder, how to start it.
//!
//! Debian's `/etc/mysql` is never read (`--defaults-file` comes first). Durable by default: every
//! commit is on disk in the redo log and the binary log. The administrator's account is made equal
//! to `admin.json` at each start, so that a lost or changed account heals with a restart.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aipress_types::Secret;
use aipress_types::capacity::DB_CONNECTIONS_PER_SHARD;
use aipress_types::capacity::SLOW_QUERY_MS;
use serde::Deserialize;
use serde::Serialize;

use super::names::identified_via;
use super::names::password_hash;
use super::recovery;
use crate::error::DriverError;
use crate::layout::ShardPaths;
use crate::layout::check_socket;
use crate::local::beneath;
use crate::local::ensure_dir;
use crate::local::ensure_shard_dirs;
use crate::uids::ShardIds;
use crate::uids::UnixIds;
use crate::unit::UnitCommand;

/// Name of the platform's administrator in the server.
pub(crate) const ADMIN_USER: &str = "aipress_admin";
/// Connections at once. `facts.md` has 1,500 for those that work; the rest is head-room for 16
/// workers of one site with 128 open files each.
const MAX_CONNECTIONS: u32 = DB_CONNECTIONS_PER_SHARD + 16 * crate::local::fpm::OPEN_FILES;
/// Temporary InnoDB tables of all sites, in MiB: their file never becomes smaller while the server
/// runs.
const TEMP_TABLES_MIB: u32 = 1024;
/// Longest time that making the first data folder may take.
const INSTALL_LIMIT: Duration = Duration::from_secs(120);

/// Sizes of a shard's server.
#[derive(Debug, Clone)]
pub struct MariadbOptions {
    /// `mariadbd`; found by [`MariadbOptions::detect`].
    pub mariadbd: PathBuf,
    /// `mariadb-install-db`.
    pub install_db: PathBuf,
    /// Memory for pages of tables, in MiB. Small: fifty sites of a laptop share it, and all of it
    /// is in use once they were visited (with 64 MiB fifty idle sites cost 1.5 MB each, with 32
    /// MiB and 400 tables 0.7 MB).
    pub buffer_pool_mib: u32,
    /// Tables kept open and defined (400 is the least that MariaDB keeps).
    pub table_cache: u32,
    /// Size of the redo log, in MiB.
    pub redo_log_mib: u32,
    /// Where the server's messages go: how its last start failed, if it did.
    pub log: Option<PathBuf>,
}

impl MariadbOptions {
    /// The distribution's binaries.
    ///
    /// # Errors
    /// `Invalid` when MariaDB is not installed.
    pub fn detect() -> Result<Self, DriverError> {
        Ok(Self {
            mariadbd: find_program("mariadbd", "mariadb-server")?,
            install_db: find_program("mariadb-install-db", "mariadb-server")?,
            buffer_pool_mib: 32,
            table_cache: 400,
            redo_log_mib: 32,
            log: None,
        })
    }
}

/// Finds a program of the distribution.
pub(crate) fn find_program(name: &str, package: &str) -> Result<PathBuf, DriverError> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            DriverError::invalid(
                format!("find {name}"),
                format!("not installed; run: apt-get install --no-install-recommends {package}"),
            )
        })
}

/// `admin.json`: how the shard's control plane signs in to a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AdminCredentials {
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl AdminCredentials {
    /// Reads the file, or makes it with a new password (0400).
    pub(crate) fn ensure(path: &Path, user: &str, ids: UnixIds) -> Result<Self, DriverError> {
        if path.exists() {
            return Self::read(path);
        }
        let password = aipress_kit::random::alphanumeric(40)
            .map_err(|error| DriverError::failed("make administrator's password", error))?;
        let made = Self { user: user.to_owned(), password: Secret::new(password) };
        let text = serde_json::to_vec(&made)
            .map_err(|error| DriverError::failed("write credentials", error))?;
        beneath::write_if_differs(path, &text, ids, 0o400)?;
        Ok(made)
    }

    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, DriverError> {
        let text = std::fs::read(path)
            .map_err(|source| DriverError::io("read administrator's credentials", path, source))?;
        // The parser's message would quote the file.
        serde_json::from_slice(&text).map_err(|_| {
            DriverError::invalid(
                "read administrator's credentials",
                format!("{} is damaged; remove it and start the shard again", path.display()),
            )
        })
    }
}

/// Makes everything that the server needs and says how to start it. Looks first; a data folder
/// that is there is never touched. Blocking (about a second the first time).
///
/// # Errors
/// `Invalid` for a socket path that is too long, `Io` and `Failed` from the machine.
pub fn prepare(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &MariadbOptions,
) -> Result<UnitCommand, DriverError> {
    check_socket(&paths.mariadb_socket())?;
    ensure_shard_dirs(paths, ids)?;
    let (root, own) = (ids.root(), ids.mariadb());
    let home = paths.mariadb();
    ensure_dir(&home, root, 0o711)?;
    for dir in ["tmp", "files"] {
        ensure_dir(&home.join(dir), own, 0o700)?;
    }
    let admin = AdminCredentials::ensure(&paths.mariadb_admin(), ADMIN_USER, root)?;
    let readable = UnixIds { uid: root.uid, gid: own.gid };
    let init = init_sql(&admin);
    beneath::write_if_differs(&home.join("init.sql"), init.as_bytes(), readable, 0o440)?;
    let missing = options.log.as_deref().map(recovery::missing_files).unwrap_or_default();
    let mut config = my_cnf(paths, options);
    if !missing.is_empty() {
        tracing::error!(
            shard = %paths.id(),
            files = missing.join(", "),
            "tables whose files are missing kept the server from recovering; it starts without them"
        );
        config.push_str(
            "\n# For this start: files that are missing are left out.\ninnodb_force_recovery=1\n",
        );
    }
    beneath::write_if_differs(&home.join("my.cnf"), config.as_bytes(), readable, 0o440)?;
    ensure_dir(&paths.mariadb_run(), own, 0o711)?;
    if !home.join("data").exists() {
        install(&home, own, options)?;
    }
    Ok(UnitCommand {
        program: options.mariadbd.clone(),
        args: vec![format!("--defaults-file={}", home.join("my.cnf").display())],
        env: vec![
            ("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
            ("TZ".to_owned(), "UTC".to_owned()),
        ],
        umask: 0o077,
        ids: own,
        socket: paths.mariadb_socket(),
    })
}

fn init_sql(admin: &AdminCredentials) -> String {
    let via = identified_via(&[password_hash(&admin.password)]);
    let user = format!("'{}'@'localhost'", admin.user);
    // One statement a line: that is all the format knows. Accounts are this server's own and
    // stay out of the binary log.
    [
        "SET SESSION sql_log_bin=0;".to_owned(),
        format!("CREATE USER IF NOT EXISTS {user};"),
        format!("ALTER USER {user} {via} ACCOUNT UNLOCK;"),
        format!("GRANT ALL PRIVILEGES ON *.* TO {user} WITH GRANT OPTION;"),
        "DELETE FROM mysql.global_priv WHERE User IN ('root', 'mysql', '') OR \
         (User <> 'mariadb.sys' AND Host <> 'localhost');"
            .to_owned(),
        "DELETE FROM mysql.proxies_priv;".to_owned(),
        "FLUSH PRIVILEGES;".to_owned(),
        String::new(),
    ]
    .join("\n")
}

/// Where the server writes its pid.
pub(super) fn pid_file(paths: &ShardPaths) -> PathBuf {
    paths.mariadb_run().join("mariadbd.pid")
}

fn my_cnf(paths: &ShardPaths, options: &MariadbOptions) -> String {
    let home = paths.mariadb();
    let home = home.display();
    let number = paths.id().number();
    let slow_s = SLOW_QUERY_MS as f64 / 1000.0;
    format!(
        "# Written by aipress at each start; changes are lost.
[mariadbd]
datadir={home}/data
socket={socket}
pid_file={pid}
tmpdir={home}/tmp
secure_file_priv={home}/files
init_file={home}/init.sql
skip_networking
skip_name_resolve
local_infile=0
symbolic_links=0
event_scheduler=OFF
performance_schema=OFF
character_set_server=utf8mb4
collation_server=utf8mb4_unicode_520_ci

# Durable: a commit that was answered survives the machine.
innodb_flush_log_at_trx_commit=1
sync_binlog=1

# From the first day a replica, a backup or a move can start from here.
server_id={number}
gtid_domain_id={number}
gtid_strict_mode=1
log_bin=binlog
binlog_format=ROW
log_slave_updates=1
expire_logs_days=7
max_binlog_size=128M

# A pooler resets sessions to these (COM_RESET_CONNECTION goes to the global values).
session_track_schema=1
session_track_state_change=1
session_track_system_variables=*
session_track_transaction_info=CHARACTERISTICS

# More than one site can take by connections that never sign in (its workers times their open
# files), and those end soon; what signs in is limited for each tenant.
max_connections={MAX_CONNECTIONS}
connect_timeout=2
max_allowed_packet=64M
wait_timeout=600
thread_cache_size=32
table_open_cache={tables}
table_definition_cache={tables}
innodb_buffer_pool_size={pool}M
innodb_log_file_size={redo}M
innodb_log_buffer_size=8M
key_buffer_size=1M
aria_pagecache_buffer_size=8M
tmp_table_size=16M
max_heap_table_size=16M
innodb_temp_data_file_path=ibtmp1:12M:autoextend:max:{temp}M

# A session may set its own buffers, up to these: each is taken by each query that wants it.
maximum_tmp_table_size=64M
maximum_max_heap_table_size=64M
maximum_sort_buffer_size=16M
maximum_join_buffer_size=16M
maximum_join_buffer_space_limit=64M
maximum_mrr_buffer_size=16M
maximum_read_buffer_size=8M
maximum_read_rnd_buffer_size=8M
maximum_myisam_sort_buffer_size=16M
maximum_group_concat_max_len=16M

# For all sites together, as one could take all of them; their memory is the connection's.
max_prepared_stmt_count=1048576

slow_query_log=1
slow_query_log_file={home}/data/slow.log
long_query_time={slow_s}
",
        pid = pid_file(paths).display(),
        socket = paths.mariadb_socket().display(),
        pool = options.buffer_pool_mib,
        tables = options.table_cache,
        redo = options.redo_log_mib,
        temp = TEMP_TABLES_MIB,
    )
}

/// Makes the first data folder beside its place and renames it there, so that one that was
/// interrupted is never taken for a whole one.
fn install(home: &Path, own: UnixIds, options: &MariadbOptions) -> Result<(), DriverError> {
    let staging = home.join("data.staging");
    if staging.exists() {
        std::fs::remove_dir_all(&staging)
            .map_err(|source| DriverError::io("clear unfinished data folder", &staging, source))?;
    }
    ensure_dir(&staging, own, 0o700)?;
    let config = home.join("install.cnf");
    // Nothing here must be durable until the folder is synced as a whole below; with a sync for
    // each statement this takes 4 s and more, without 0.5 s.
    let text = format!(
        "[mariadbd]\ndatadir={staging}\ntmpdir={tmp}\nskip_log_bin\nskip_networking\n\
         socket={staging}/unused.sock\ninnodb_flush_log_at_trx_commit=0\n\
         innodb_flush_method=nosync\nsync_frm=0\ninnodb_log_file_size={redo}M\n\
         innodb_buffer_pool_size=32M\nperformance_schema=OFF\n\
         character_set_server=utf8mb4\ncollation_server=utf8mb4_unicode_520_ci\n",
        staging = staging.display(),
        tmp = home.join("tmp").display(),
        redo = options.redo_log_mib,
    );
    let readable = UnixIds { uid: UnixIds::current().uid, gid: own.gid };
    beneath::write_if_differs(&config, text.as_bytes(), readable, 0o440)?;
    run_install(home, &staging, &config, own, options)?;
    sync_tree(&staging)?;
    let data = home.join("data");
    std::fs::rename(&staging, &data)
        .map_err(|source| DriverError::io("put data folder in place", &data, source))?;
    beneath::sync_dir(home)?;
    let _ = std::fs::remove_file(&config);
    Ok(())
}

fn run_install(
    home: &Path,
    staging: &Path,
    config: &Path,
    own: UnixIds,
    options: &MariadbOptions,
) -> Result<(), DriverError> {
    use std::os::unix::process::CommandExt;
    let failed = |detail: String| DriverError::failed("make mariadb data folder", detail);
    let log_path = home.join("install.log");
    let log = std::fs::File::create(&log_path)
        .map_err(|source| DriverError::io("write install log", &log_path, source))?;
    let error_log = log
        .try_clone()
        .map_err(|source| DriverError::io("write install log", &log_path, source))?;
    let mut command = std::process::Command::new(&options.install_db);
    command
        .arg(format!("--defaults-file={}", config.display()))
        .arg(format!("--datadir={}", staging.display()))
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .args(["--skip-name-resolve", "--force"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", staging)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(error_log);
    if own != UnixIds::current() {
        command.uid(own.uid).gid(own.gid);
    }
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let started = std::time::Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| failed(error.to_string()))? {
            Some(status) => break status,
            None if started.elapsed() > INSTALL_LIMIT => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(DriverError::Timeout {
                    what: "make mariadb data folder".to_owned(),
                    after: INSTALL_LIMIT,
                });
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if status.success() && staging.join("mysql").is_dir() {
        return Ok(());
    }
    Err(failed(format!("mariadb-install-db ended with {status}; see {}", log_path.display())))
}

/// Syncs the file system that holds the folder: one call instead of a few hundred.
fn sync_tree(dir: &Path) -> Result<(), DriverError> {
    let fail = |source: std::io::Error| DriverError::io("sync data folder", dir, source);
    let mut marker = std::fs::File::create(dir.join(".synced")).map_err(fail)?;
    marker.write_all(b"1").map_err(fail)?;
    rustix::fs::syncfs(&marker).map_err(|errno| fail(errno.into()))?;
    std::fs::remove_file(dir.join(".synced")).map_err(fail)
}
