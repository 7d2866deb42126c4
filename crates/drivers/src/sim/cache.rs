//! The simulated Redis: users, no keys.

use std::collections::BTreeMap;

use aipress_types::Secret;
use aipress_types::TenantUid;
use async_trait::async_trait;

use super::SimWorld;
use crate::Ensured;
use crate::cache::AclUser;
use crate::cache::Cache;
use crate::cache::CacheRoom;
use crate::cache::CacheUser;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// What Redis has.
#[derive(Debug, Default)]
pub(crate) struct State {
    users: BTreeMap<TenantUid, Vec<Secret>>,
}

impl State {
    /// Whether a tenant's user may sign in with a password.
    pub(crate) fn accepts(&self, uid: TenantUid, password: &Secret) -> bool {
        self.users.get(&uid).is_some_and(|passwords| passwords.contains(password))
    }
}

#[async_trait]
impl Cache for SimWorld {
    async fn health(&self) -> Result<(), DriverError> {
        self.call("cache.health", |_| Ok(())).await
    }

    async fn ensure_user(&self, user: &CacheUser) -> Result<Ensured, DriverError> {
        self.call("cache.ensure_user", |world| {
            if user.passwords.is_empty() || user.passwords.len() > 2 {
                let detail = "a user has one password, or two while rotating";
                return Err(DriverError::invalid("ensure redis user", detail));
            }
            match world.cache.users.insert(user.uid, user.passwords.clone()) {
                None => Ok(Ensured::Created),
                Some(before) if before == user.passwords => Ok(Ensured::Kept),
                Some(_) => Ok(Ensured::Repaired),
            }
        })
        .await
    }

    async fn remove_user(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("cache.remove_user", |world| {
            let there = world.cache.users.remove(&uid).is_some();
            Ok(if there { Ensured::Repaired } else { Ensured::Kept })
        })
        .await
    }

    async fn room(&self) -> Result<CacheRoom, DriverError> {
        self.call("cache.room", |_| Ok(CacheRoom::default())).await
    }

    async fn weigh(&self) -> Result<Vec<(TenantUid, u64)>, DriverError> {
        self.call("cache.weigh", |_| Ok(Vec::new())).await
    }

    async fn set_writing(&self, _uid: TenantUid, _may_write: bool) -> Result<(), DriverError> {
        self.call("cache.set_writing", |_| Ok(())).await
    }

    async fn empty(&self, _uid: TenantUid) -> Result<(), DriverError> {
        self.call("cache.empty", |_| Ok(())).await
    }

    async fn inventory(&self) -> Result<Vec<AclUser>, DriverError> {
        self.call("cache.inventory", |world| {
            Ok(world
                .cache
                .users
                .keys()
                .map(|uid| AclUser { name: tenant_handle(*uid), uid: Some(*uid), platform: false })
                .collect())
        })
        .await
    }
}
