//! Every path of the data folder, in one place. Pure: nothing is created here.
//!
//! The folder's own path is restricted to characters that need no quoting in any configuration
//! file it is written into (my.cnf, redis.conf, php-fpm.conf, `open_basedir`), so that nothing has
//! to be quoted anywhere.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use aipress_types::ShardId;
use aipress_types::TenantUid;
use aipress_types::capacity::SLOTS_PER_SHARD;

use crate::error::DriverError;

/// Longest path of a Unix socket, in bytes (`sun_path` of `unix(7)` less its terminator).
pub const SOCKET_PATH_MAX: usize = 107;

/// One of a shard's places, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    /// The slot with this number, 1 to [`SLOTS_PER_SHARD`].
    pub fn new(number: u32) -> Option<Self> {
        (1..=SLOTS_PER_SHARD).contains(&number).then_some(Self(number))
    }

    /// All slots of a shard, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=SLOTS_PER_SHARD).map(Self)
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The slot whose two-digit name this is.
    pub fn from_dir_name(name: &str) -> Option<Self> {
        name.parse().ok().and_then(Self::new).filter(|slot| slot.to_string() == name)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// The data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPaths {
    root: PathBuf,
}

impl DataPaths {
    /// The data folder at `root`.
    ///
    /// # Errors
    /// `Invalid` when the path is not absolute, has characters that configuration files would have
    /// to quote, has `.`/`..`, or is so long that the sockets in it could not be bound.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self, DriverError> {
        let root = root.into();
        let refuse = |detail: String| Err(DriverError::invalid("use data folder", detail));
        let Some(text) = root.to_str() else {
            return refuse("its path is not UTF-8; choose another folder with --data".to_owned());
        };
        if !text.starts_with('/') || text.split('/').any(|part| part == "." || part == "..") {
            return refuse(format!("`{text}` is not an absolute, plain path"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._+@-".contains(&byte);
        if let Some(bad) = text.chars().find(|c| !c.is_ascii() || !plain(*c as u8)) {
            return refuse(format!(
                "`{text}` has `{bad}`; choose a folder with letters, digits and / . _ + @ - only"
            ));
        }
        let paths = Self { root };
        // The longest socket there can be, so that the error comes now and not at shard 1000.
        let last = ShardId::from_number(9999).map(|id| paths.shard(id));
        if let (Some(shard), Some(slot)) = (last, Slot::all().last()) {
            check_socket(&shard.fpm_socket(slot))?;
            check_socket(&shard.mariadb_socket())?;
        }
        Ok(paths)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What `up` remembers.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.json")
    }

    /// The program that the roles run, in a folder of its own (0755).
    pub fn program(&self) -> PathBuf {
        self.root.join("bin/aipress")
    }

    /// The key that secrets at rest are sealed with.
    pub fn master_key(&self) -> PathBuf {
        self.root.join("master.key")
    }

    /// Meta's own folder (0700): the registry and the first platform-admin's token.
    pub fn meta(&self) -> PathBuf {
        self.root.join("meta")
    }

    /// Signed ends of the audit log's chains.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("audit/checkpoints.jsonl")
    }

    /// The first platform-admin's token.
    pub fn admin_token(&self) -> PathBuf {
        self.meta().join("admin-token")
    }

    /// The registry's database.
    pub fn registry(&self) -> PathBuf {
        self.meta().join("registry.db")
    }

    /// The mirror of plugins and themes.
    pub fn packages(&self) -> PathBuf {
        self.meta().join("packages")
    }

    /// The edge's own folder (0700).
    pub fn edge(&self) -> PathBuf {
        self.root.join("edge")
    }

    /// The edge's last route table.
    pub fn edge_routes(&self) -> PathBuf {
        self.edge().join("routes.json")
    }

    /// Sockets and pid files (mode 0711).
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Per-role bearer secrets.
    pub fn tokens(&self) -> PathBuf {
        self.run().join("tokens")
    }

    /// WordPress cores, by version below.
    pub fn cores(&self) -> PathBuf {
        self.root.join("cores")
    }

    /// One WordPress core.
    pub fn core(&self, version: &str) -> PathBuf {
        self.cores().join("wordpress").join(version)
    }

    /// What runs inside WordPress, by hash below.
    pub fn php(&self) -> PathBuf {
        self.root.join("php")
    }

    /// The wp-cli archive that was configured, by checksum below.
    pub fn wp_cli(&self) -> PathBuf {
        self.root.join("wp-cli")
    }

    /// Logs of the units.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// All shards.
    pub fn shards(&self) -> PathBuf {
        self.root.join("shards")
    }

    /// One shard.
    pub fn shard(&self, id: ShardId) -> ShardPaths {
        ShardPaths {
            data: self.clone(),
            id,
            dir: self.shards().join(id.to_string()),
            run: self.run().join(id.to_string()),
        }
    }
}

/// The paths of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPaths {
    data: DataPaths,
    id: ShardId,
    dir: PathBuf,
    run: PathBuf,
}

impl ShardPaths {
    /// The data folder that the shard is in.
    pub fn data(&self) -> &DataPaths {
        &self.data
    }

    /// The shard.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Its folder (0711).
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its sockets and pid files (0711).
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// Sealed snapshot of its intents.
    pub fn intents(&self) -> PathBuf {
        self.dir.join("intents.json")
    }

    /// How often each site was woken for its scheduled events.
    pub fn cron(&self) -> PathBuf {
        self.dir.join("cron.json")
    }

    /// Key of the sealed snapshot.
    pub fn key(&self) -> PathBuf {
        self.dir.join("key")
    }

    /// The control plane's socket.
    pub fn control_socket(&self) -> PathBuf {
        self.run.join("control.sock")
    }

    /// When the gateway saw the last visitor of each site.
    pub fn gateway_visits(&self) -> PathBuf {
        self.dir.join("gateway/visits.json")
    }

    /// The socket that takes the sites' mail.
    pub fn mail_socket(&self) -> PathBuf {
        self.run.join("mail.sock")
    }

    /// Mail of all sites (0700).
    pub fn mail(&self) -> PathBuf {
        self.dir.join("mail")
    }

    /// The gateway's socket.
    pub fn gateway_socket(&self) -> PathBuf {
        self.run.join("gateway.sock")
    }

    /// Archives of plugins and themes, as the mirror has them: a cache.
    pub fn packages(&self) -> PathBuf {
        self.dir.join("packages")
    }

    /// MariaDB's folder (configuration, credentials; `data` below is the server's own).
    pub fn mariadb(&self) -> PathBuf {
        self.dir.join("mariadb")
    }

    /// Folder of MariaDB's socket and pid file: its own, because a server binds its socket as its
    /// own user and could replace other sockets in a folder that it shared.
    pub fn mariadb_run(&self) -> PathBuf {
        self.run.join("mariadb")
    }

    /// MariaDB's socket.
    pub fn mariadb_socket(&self) -> PathBuf {
        self.mariadb_run().join("mariadb.sock")
    }

    /// MariaDB's administrator (0400).
    pub fn mariadb_admin(&self) -> PathBuf {
        self.mariadb().join("admin.json")
    }

    /// Redis's folder (configuration, credentials; `data` below is the server's own).
    pub fn redis(&self) -> PathBuf {
        self.dir.join("redis")
    }

    /// Folder of Redis's socket and pid file.
    pub fn redis_run(&self) -> PathBuf {
        self.run.join("redis")
    }

    /// Redis's socket.
    pub fn redis_socket(&self) -> PathBuf {
        self.redis_run().join("redis.sock")
    }

    /// Redis's administrator (0400).
    pub fn redis_admin(&self) -> PathBuf {
        self.redis().join("admin.json")
    }

    /// Configuration of php-fpm.
    pub fn php(&self) -> PathBuf {
        self.dir.join("php")
    }

    /// Folder of the pools' sockets.
    pub fn fpm(&self) -> PathBuf {
        self.run.join("fpm")
    }

    /// Socket of a slot's pool.
    pub fn fpm_socket(&self, slot: Slot) -> PathBuf {
        self.fpm().join(format!("{slot}.sock"))
    }

    /// Socket of a slot's pool in a php-fpm master of its own.
    pub fn fpm_own_socket(&self, slot: Slot) -> PathBuf {
        self.fpm().join(format!("{slot}-own.sock"))
    }

    /// All slots (0711).
    pub fn slots(&self) -> PathBuf {
        self.dir.join("slots")
    }

    /// A slot's folder.
    pub fn slot(&self, slot: Slot) -> PathBuf {
        self.slots().join(slot.to_string())
    }

    /// Name of the mark, in a slot's folder, that nothing may be written there.
    pub const SLOT_FULL: &str = "full";
    /// Name of the file, in a slot's folder, that says which limits its site meets.
    pub const SLOT_LIMITS: &str = "limits.json";

    /// A slot's folder for uploads under way, sessions and temporary files.
    pub fn slot_tmp(&self, slot: Slot) -> PathBuf {
        self.slot(slot).join("tmp")
    }

    /// All sites (0711).
    pub fn sites(&self) -> PathBuf {
        self.dir.join("sites")
    }

    /// A site's folder.
    pub fn site(&self, uid: TenantUid) -> PathBuf {
        self.sites().join(uid.to_string())
    }

    /// Archives of sites that somebody exports (0700).
    pub fn exports(&self) -> PathBuf {
        self.dir.join("exports")
    }

    /// Logs of all sites (0750, root's, the gateway's group).
    pub fn site_logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Sites that were deleted and can be brought back (0700).
    pub fn trash(&self) -> PathBuf {
        self.dir.join("trash")
    }
}

/// Refuses a socket path that `bind(2)` would refuse, in words.
///
/// # Errors
/// `Invalid` when the path has more than [`SOCKET_PATH_MAX`] bytes.
pub fn check_socket(path: &Path) -> Result<(), DriverError> {
    let length = path.as_os_str().len();
    if length <= SOCKET_PATH_MAX {
        return Ok(());
    }
    Err(DriverError::invalid(
        "use data folder",
        format!(
            "the socket {} would have {length} bytes, {SOCKET_PATH_MAX} is the most; choose a \
             shorter folder with --data",
            path.display()
        ),
    ))
}

/// Name of a tenant's database and of its user there, and of its user in Redis: `t_` and the 32
/// hex digits of the uid.
pub fn tenant_handle(uid: TenantUid) -> String {
    format!("t_{}", uid.hex())
}

/// The tenant whose handle this is.
pub fn tenant_of_handle(handle: &str) -> Option<TenantUid> {
    let hex = handle.strip_prefix("t_")?;
    let lower = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    lower.then(|| uuid::Uuid::try_parse(hex).ok().map(TenantUid))?
}

/// Prefix of a tenant's keys in Redis: its handle and a colon.
pub fn key_prefix(uid: TenantUid) -> String {
    format!("{}:", tenant_handle(uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_would_need_quoting_is_refused() {
        for bad in ["relative", "/a b", "/a:b", "/a'b", "/a$b", "/a/../b", "/ä", "/a;b", "/a#b"] {
            assert!(DataPaths::new(bad).is_err(), "{bad}");
        }
        assert!(DataPaths::new("/var/lib/aipress").is_ok());
        assert!(DataPaths::new("/home/me@x/.local/share/aipress-2").is_ok());
    }

    #[test]
    fn a_folder_too_deep_for_sockets_is_refused_at_once() {
        let suffix = "/run/aipress-shard-9999/mariadb/mariadb.sock".len();
        let longest = format!("/{}", "x".repeat(SOCKET_PATH_MAX - suffix - 1));
        assert!(DataPaths::new(&longest).is_ok());
        let error = DataPaths::new(format!("{longest}x")).unwrap_err();
        assert!(error.to_string().contains("--data"), "{error}");
    }

    #[test]
    fn handles_come_back() {
        let uid: TenantUid = "f47ac10b-58cc-4372-a567-0e02b2c3d479".parse().unwrap();
        assert_eq!(tenant_handle(uid), "t_f47ac10b58cc4372a5670e02b2c3d479");
        assert_eq!(tenant_of_handle(&tenant_handle(uid)), Some(uid));
        for bad in ["t_F47AC10B58CC4372A5670E02B2C3D479", "t_f47", "x", "t_"] {
            assert_eq!(tenant_of_handle(bad), None, "{bad}");
        }
    }

    #[test]
    fn slot_names_have_two_digits() {
        assert_eq!(Slot::from_dir_name("07"), Slot::new(7));
        for bad in ["7", "007", "00", "51", "x"] {
            assert_eq!(Slot::from_dir_name(bad), None, "{bad}");
        }
    }
}
