//! The cache driver: users and their rights in the shard's Redis, as its administrator.

mod acl;
mod resp;
mod server;
mod weigh;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aipress_types::TenantUid;
use async_trait::async_trait;
use tokio::sync::OnceCell;

pub use server::RedisOptions;
pub use server::prepare;

use self::resp::Connection;
use self::resp::Reply;
use crate::Ensured;
use crate::cache::AclUser;
use crate::cache::Cache;
use crate::cache::CacheRoom;
use crate::cache::CacheUser;
use crate::cache::TENANT_WRITES;
use crate::error::DriverError;
use crate::layout::ShardPaths;
use crate::layout::key_prefix;
use crate::layout::tenant_handle;
use crate::layout::tenant_of_handle;
use crate::local::mariadb::AdminCredentials;

const HEALTH_LIMIT: Duration = Duration::from_secs(1);
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// Longest time that removing a tenant's keys may take in one call.
const REMOVE_LIMIT: Duration = Duration::from_secs(20);
/// Keys looked at in one step of `SCAN`: about a millisecond of Redis's one thread.
const SCAN_COUNT: &str = "1000";

/// The shard's Redis.
#[derive(Debug)]
pub struct Redis {
    socket: PathBuf,
    admin: AdminCredentials,
    /// How this Redis writes the tenants' commands, once it was asked.
    commands: OnceCell<Vec<String>>,
    /// Whether users are not on disk as they are in memory: the disk was full.
    is_unsaved: AtomicBool,
}

impl Redis {
    /// The server that [`prepare`] prepared; it need not run yet.
    ///
    /// # Errors
    /// When the administrator's credentials cannot be read.
    pub fn open(paths: &ShardPaths) -> Result<Self, DriverError> {
        Ok(Self {
            socket: paths.redis_socket(),
            admin: AdminCredentials::read(&paths.redis_admin())?,
            commands: OnceCell::new(),
            is_unsaved: AtomicBool::new(false),
        })
    }

    /// How this Redis writes the tenants' commands.
    async fn commands(&self, connection: &mut Connection) -> Result<&[String], DriverError> {
        let learn = async {
            let rules = acl::probe_rules();
            let mut words = vec!["ACL", "SETUSER", acl::PROBE_USER];
            words.extend(rules.iter().map(String::as_str));
            connection.call(&words).await?;
            let line = user_line(connection, acl::PROBE_USER).await?;
            connection.call(&["ACL", "DELUSER", acl::PROBE_USER]).await?;
            Ok(acl::commands_of(&line.unwrap_or_default()))
        };
        self.commands.get_or_try_init(|| learn).await.map(Vec::as_slice)
    }

    /// Writes all users to disk. What fails is made up for by the next call for any of them.
    async fn save_users(&self, connection: &mut Connection) -> Result<(), DriverError> {
        self.is_unsaved.store(true, Ordering::Relaxed);
        connection.call(&["ACL", "SAVE"]).await?;
        self.is_unsaved.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn connect(&self, limit: Duration) -> Result<Connection, DriverError> {
        let password = self.admin.password.expose();
        Connection::open(&self.socket, &self.admin.user, password, limit).await
    }
}

#[async_trait]
impl Cache for Redis {
    async fn health(&self) -> Result<(), DriverError> {
        let mut connection = self.connect(HEALTH_LIMIT).await?;
        match connection.call(&["PING"]).await? {
            Reply::Status(text) if text == "PONG" => Ok(()),
            _ => Err(DriverError::failed("ping redis", "no pong")),
        }
    }

    async fn ensure_user(&self, user: &CacheUser) -> Result<Ensured, DriverError> {
        if user.passwords.is_empty() || user.passwords.len() > 2 {
            let detail = "a user has one password, or two while rotating";
            return Err(DriverError::invalid(format!("ensure redis user {}", user.name()), detail));
        }
        let mut connection = self.connect(CALL_LIMIT).await?;
        let existing = user_line(&mut connection, &user.name()).await?;
        if let Some(line) = existing.as_deref()
            && acl::matches(line, user, self.commands(&mut connection).await?)
        {
            if self.is_unsaved.load(Ordering::Relaxed) {
                self.save_users(&mut connection).await?;
            }
            return Ok(Ensured::Kept);
        }
        let (name, rules) = (user.name(), acl::rules(user));
        let mut words = vec!["ACL", "SETUSER", &name];
        words.extend(rules.iter().map(String::as_str));
        connection.call(&words).await?;
        self.save_users(&mut connection).await?;
        Ok(if existing.is_some() { Ensured::Repaired } else { Ensured::Created })
    }

    async fn remove_user(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        let mut connection = self.connect(CALL_LIMIT).await?;
        let name = tenant_handle(uid);
        // Ends its connections as well, so that no key comes back behind the scan.
        let removed = connection.call(&["ACL", "DELUSER", &name]).await?;
        self.save_users(&mut connection).await?;
        let after = REMOVE_LIMIT;
        let what = || format!("remove keys of {name}");
        let keys = tokio::time::timeout(after, remove_keys(&mut connection, uid))
            .await
            .map_err(|_| DriverError::Timeout { what: what(), after })??;
        let nothing = removed == Reply::Integer(0) && keys == 0;
        Ok(if nothing { Ensured::Kept } else { Ensured::Repaired })
    }

    async fn room(&self) -> Result<CacheRoom, DriverError> {
        weigh::room(&mut self.connect(CALL_LIMIT).await?).await
    }

    async fn weigh(&self) -> Result<Vec<(TenantUid, u64)>, DriverError> {
        let mut connection = self.connect(CALL_LIMIT).await?;
        tokio::time::timeout(REMOVE_LIMIT, weigh::all(&mut connection)).await.map_err(|_| {
            DriverError::Timeout { what: "weigh redis keys".to_owned(), after: REMOVE_LIMIT }
        })?
    }

    async fn set_writing(&self, uid: TenantUid, may_write: bool) -> Result<(), DriverError> {
        let (name, sign) = (tenant_handle(uid), if may_write { '+' } else { '-' });
        let rules: Vec<String> = TENANT_WRITES.iter().map(|word| format!("{sign}{word}")).collect();
        let mut connection = self.connect(CALL_LIMIT).await?;
        // A user that is not there would be made.
        if user_line(&mut connection, &name).await?.is_none() {
            return Ok(());
        }
        let mut words = vec!["ACL", "SETUSER", &name];
        words.extend(rules.iter().map(String::as_str));
        connection.call(&words).await.map(drop)
    }

    async fn empty(&self, uid: TenantUid) -> Result<(), DriverError> {
        let mut connection = self.connect(CALL_LIMIT).await?;
        tokio::time::timeout(REMOVE_LIMIT, remove_keys(&mut connection, uid)).await.map_or_else(
            |_| {
                let what = "empty a site's cache".to_owned();
                Err(DriverError::Timeout { what, after: REMOVE_LIMIT })
            },
            |removed| removed.map(drop),
        )
    }

    async fn inventory(&self) -> Result<Vec<AclUser>, DriverError> {
        let mut connection = self.connect(CALL_LIMIT).await?;
        let lines = lines(&mut connection).await?;
        Ok(lines
            .iter()
            .map(|line| {
                let mut words = line.split_ascii_whitespace().skip(1);
                let name = words.next().unwrap_or_default().to_owned();
                let off = words.next() == Some("off");
                let platform = name == acl::ADMIN_USER
                    || (off && matches!(name.as_str(), "default" | acl::PROBE_USER));
                AclUser { uid: tenant_of_handle(&name), platform, name }
            })
            .collect())
    }
}

async fn lines(connection: &mut Connection) -> Result<Vec<String>, DriverError> {
    let Reply::Array(Some(items)) = connection.call(&["ACL", "LIST"]).await? else {
        return Err(DriverError::failed("list redis users", "no list"));
    };
    Ok(items
        .into_iter()
        .filter_map(|item| match item {
            Reply::Bulk(Some(bytes)) => String::from_utf8(bytes).ok(),
            _ => None,
        })
        .collect())
}

async fn user_line(connection: &mut Connection, name: &str) -> Result<Option<String>, DriverError> {
    let prefix = format!("user {name} ");
    Ok(lines(connection).await?.into_iter().find(|line| line.starts_with(&prefix)))
}

/// Removes the tenant's keys and returns how many there were.
async fn remove_keys(connection: &mut Connection, uid: TenantUid) -> Result<u64, DriverError> {
    let pattern = format!("{}*", key_prefix(uid));
    let (mut cursor, mut removed) = ("0".to_owned(), 0);
    loop {
        let reply =
            connection.call(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", SCAN_COUNT]).await?;
        let (next, keys) = scan_page(reply)
            .ok_or_else(|| DriverError::failed("remove redis keys", "no page of keys"))?;
        if !keys.is_empty() {
            let mut words: Vec<&[u8]> = vec![b"UNLINK"];
            words.extend(keys.iter().map(Vec::as_slice));
            connection.call_bytes(&words).await?;
            removed += keys.len() as u64;
        }
        if next == "0" {
            return Ok(removed);
        }
        cursor = next;
    }
}

/// Cursor and keys of a page. Keys are bytes: a tenant may choose any behind its prefix.
fn scan_page(reply: Reply) -> Option<(String, Vec<Vec<u8>>)> {
    let Reply::Array(Some(parts)) = reply else { return None };
    let [Reply::Bulk(Some(cursor)), Reply::Array(Some(keys))] =
        <[Reply; 2]>::try_from(parts).ok()?
    else {
        return None;
    };
    let keys = keys
        .into_iter()
        .filter_map(|key| match key {
            Reply::Bulk(bytes) => bytes,
            _ => None,
        })
        .collect();
    Some((String::from_utf8(cursor).ok()?, keys))
}
