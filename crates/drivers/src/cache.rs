//! The shard's Redis, as the reconciler sees it: users, not keys.
//!
//! A tenant's user reaches keys with its own prefix by a fixed list of commands; no channels.

use aipress_types::Secret;
use aipress_types::TenantUid;
use async_trait::async_trait;

use crate::Ensured;
use crate::error::DriverError;
use crate::layout::key_prefix;
use crate::layout::tenant_handle;

/// Commands that a tenant's user may call: exactly those that `php/README.md` lists.
/// All name their keys. `SCAN`, `KEYS`, `RANDOMKEY`, `DBSIZE`, `FLUSHDB` and the like ignore key
/// patterns and are out. `AUTH` needs no right.
pub const TENANT_COMMANDS: &[&str] = &[
    "del", "discard", "exec", "exists", "expire", "get", "hgetall", "hset", "hsetnx", "incrby",
    "mget", "multi", "ping", "set", "unwatch", "watch",
];

/// Those of them that need memory.
pub const TENANT_WRITES: &[&str] = &["hset", "hsetnx", "incrby", "set"];

/// A tenant's user in Redis.
#[derive(Debug, Clone)]
pub struct CacheUser {
    /// The tenant.
    pub uid: TenantUid,
    /// Passwords that it may sign in with: one, or old and new while rotating.
    pub passwords: Vec<Secret>,
}

impl CacheUser {
    /// Name of the user.
    pub fn name(&self) -> String {
        tenant_handle(self.uid)
    }

    /// Prefix of the keys that it reaches.
    pub fn prefix(&self) -> String {
        key_prefix(self.uid)
    }
}

/// Memory of the shard's Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheRoom {
    /// In use.
    pub used_bytes: u64,
    /// At most; then the least recently used keys go, whosever they are.
    pub max_bytes: u64,
}

/// A user that exists in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclUser {
    /// Its name.
    pub name: String,
    /// The tenant whose handle the name is. `None` and not `platform`: nobody explains it.
    pub uid: Option<TenantUid>,
    /// Whether it is the platform's own (the administrator, or `default` while it is off).
    pub platform: bool,
}

/// The shard's Redis.
#[async_trait]
pub trait Cache: Send + Sync {
    /// Whether it answers as administrator, within a second.
    async fn health(&self) -> Result<(), DriverError>;

    /// Makes the user exist with exactly these passwords and rights, durably.
    async fn ensure_user(&self, user: &CacheUser) -> Result<Ensured, DriverError>;

    /// Removes the user, ends its connections, and removes its keys.
    ///
    /// # Errors
    /// A retryable `Timeout` when there are more keys than one call may remove; call again.
    async fn remove_user(&self, uid: TenantUid) -> Result<Ensured, DriverError>;

    /// How much memory is in use.
    async fn room(&self) -> Result<CacheRoom, DriverError>;

    /// How much each tenant's keys take. Looks at every key, a little at a time: to be asked when
    /// memory is short.
    async fn weigh(&self) -> Result<Vec<(TenantUid, u64)>, DriverError>;

    /// Lets a tenant's user write, or not. Not durable: [`ensure_user`](Self::ensure_user) and a
    /// restart let it write.
    async fn set_writing(&self, uid: TenantUid, may_write: bool) -> Result<(), DriverError>;

    /// Removes a tenant's keys: a cache can always be lost.
    async fn empty(&self, uid: TenantUid) -> Result<(), DriverError>;

    /// All users.
    async fn inventory(&self) -> Result<Vec<AclUser>, DriverError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_these_commands() {
        let page = include_str!("../../../php/README.md");
        let (_, block) = page.split_once("```acl").unwrap();
        let line = block.lines().nth(1).unwrap();
        let listed: Vec<&str> = line.split(' ').map(|word| word.trim_start_matches('+')).collect();
        assert_eq!(listed, TENANT_COMMANDS);
    }
}
