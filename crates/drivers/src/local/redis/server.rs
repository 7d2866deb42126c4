//! A Redis server for one shard: its configuration, how to start it. A cache and nothing else:
//! without persistence, because started from an older snapshot it would bring back values that
//! were overwritten since. It writes nothing but its users, so that no full disk stops it.

use std::path::Path;
use std::path::PathBuf;

use super::acl;
use crate::error::DriverError;
use crate::layout::ShardPaths;
use crate::layout::check_socket;
use crate::local::beneath;
use crate::local::ensure_dir;
use crate::local::ensure_shard_dirs;
use crate::local::mariadb::AdminCredentials;
use crate::local::mariadb::find_program;
use crate::uids::ShardIds;
use crate::uids::UnixIds;
use crate::unit::UnitCommand;

/// Sizes of a shard's Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis-server`; found by [`RedisOptions::detect`].
    pub redis_server: PathBuf,
    /// Most memory for values, in MiB; the least recently used go first.
    pub max_memory_mib: u32,
}

impl RedisOptions {
    /// The distribution's binary.
    ///
    /// # Errors
    /// `Invalid` when Redis is not installed.
    pub fn detect() -> Result<Self, DriverError> {
        Ok(Self {
            redis_server: find_program("redis-server", "redis-server")?,
            max_memory_mib: 256,
        })
    }
}

/// Makes everything that the server needs and says how to start it. Looks first; users that are
/// there stay.
///
/// # Errors
/// `Invalid` for a socket path that is too long, `Io` from the machine.
pub fn prepare(
    paths: &ShardPaths,
    ids: &ShardIds,
    options: &RedisOptions,
) -> Result<UnitCommand, DriverError> {
    check_socket(&paths.redis_socket())?;
    ensure_shard_dirs(paths, ids)?;
    let (root, own) = (ids.root(), ids.redis());
    let home = paths.redis();
    ensure_dir(&home, root, 0o711)?;
    ensure_dir(&home.join("data"), own, 0o700)?;
    ensure_dir(&paths.redis_run(), own, 0o711)?;
    let admin = AdminCredentials::ensure(&paths.redis_admin(), acl::ADMIN_USER, root)?;
    let users = home.join("data/users.acl");
    let before = std::fs::read_to_string(&users).unwrap_or_default();
    let text = acl::with_administrator(&before, &admin.password);
    beneath::write_if_differs(&users, text.as_bytes(), own, 0o600)?;
    forget_snapshots(&home.join("data"))?;
    let config = home.join("redis.conf");
    let readable = UnixIds { uid: root.uid, gid: own.gid };
    let text = redis_conf(paths, options);
    beneath::write_if_differs(&config, text.as_bytes(), readable, 0o440)?;
    Ok(UnitCommand {
        program: options.redis_server.clone(),
        args: vec![config.display().to_string()],
        env: vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
        ],
        umask: 0o077,
        ids: own,
        socket: paths.redis_socket(),
    })
}

/// Removes what somebody made it write (`SAVE` by hand). It would be read at the start whatever the
/// configuration says: old values, or a damaged file that keeps the cache from starting at all.
fn forget_snapshots(data: &Path) -> Result<(), DriverError> {
    let dump = data.join("dump.rdb");
    match std::fs::remove_file(&dump) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DriverError::io("remove old values of redis", &dump, error))
        }
        _ => Ok(()),
    }
}

fn redis_conf(paths: &ShardPaths, options: &RedisOptions) -> String {
    let home = paths.redis();
    let home = home.display();
    // The socket is open to every Unix user: each slot has its own, and who may do what is the
    // access list's business. Without a password nobody may do anything.
    format!(
        "# Written by aipress at each start; changes are lost.
port 0
unixsocket {socket}
unixsocketperm 777
aclfile {home}/data/users.acl
dir {home}/data
daemonize no
supervised no
databases 1
save \"\"
appendonly no
maxmemory {memory}mb
maxmemory-policy allkeys-lru
maxmemory-clients 10%
maxclients 4000
timeout 300
lazyfree-lazy-eviction yes
lazyfree-lazy-expire yes
lazyfree-lazy-server-del yes
lazyfree-lazy-user-del yes
enable-debug-command no
enable-module-command no
enable-protected-configs no
acllog-max-len 64
slowlog-max-len 64
loglevel notice
logfile \"\"
always-show-logo no
set-proc-title no
",
        socket = paths.redis_socket().display(),
        memory = options.max_memory_mib,
    )
}
