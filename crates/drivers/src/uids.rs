//! Unix ids of the platform's processes: numeric, without entries in `/etc/passwd`.
//!
//! With base B: meta is B+1, edge B+2. Shard k (from 1) starts at S = B+100·k: MariaDB S, Redis
//! S+1, gateway S+2, template installer S+3, slot n (from 1) S+10+n. A gid equals its uid.
//! Without root there is one user for all, and sites are not isolated from each other.

use std::ops::RangeInclusive;

use aipress_types::ShardId;
use aipress_types::capacity::SLOTS_PER_SHARD;

use crate::error::DriverError;
use crate::layout::Slot;

/// First id of the platform unless configured otherwise.
pub const DEFAULT_UID_BASE: u32 = 70_000;
/// Ids that one shard takes.
pub const UIDS_PER_SHARD: u32 = 100;

/// A user and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnixIds {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl UnixIds {
    /// A user whose group has the same number.
    pub fn same(id: u32) -> Self {
        Self { uid: id, gid: id }
    }

    /// The ids of this process.
    pub fn current() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    /// Root.
    pub fn root() -> Self {
        Self::same(0)
    }
}

/// Who runs as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UidPlan {
    /// Every role and every slot has its own user, counted from this base. Needs root.
    PerRole(u32),
    /// Everything runs as this one user.
    OneUser(UnixIds),
}

impl UidPlan {
    /// The plan of this process: per role as root, one user otherwise.
    pub fn detect(uid_base: u32) -> Self {
        let current = UnixIds::current();
        if current.uid == 0 { Self::PerRole(uid_base) } else { Self::OneUser(current) }
    }

    /// Whether slots (and with them sites) have users of their own.
    pub fn is_isolated(&self) -> bool {
        matches!(self, Self::PerRole(_))
    }

    /// The meta control plane.
    pub fn meta(&self) -> UnixIds {
        self.pick(1)
    }

    /// The edge.
    pub fn edge(&self) -> UnixIds {
        self.pick(2)
    }

    /// The users of one shard.
    ///
    /// # Errors
    /// `Invalid` when the numbers leave the range of ids that all tools agree on (31 bits).
    pub fn shard(&self, shard: ShardId) -> Result<ShardIds, DriverError> {
        match self {
            Self::OneUser(ids) => Ok(ShardIds { plan: *self, start: ids.uid }),
            Self::PerRole(base) => UIDS_PER_SHARD
                .checked_mul(shard.number())
                .and_then(|offset| base.checked_add(offset))
                .filter(|start| *start > 0 && *start < i32::MAX as u32 - UIDS_PER_SHARD)
                .map(|start| ShardIds { plan: *self, start })
                .ok_or_else(|| {
                    DriverError::invalid(
                        "plan unix ids",
                        format!("{shard} has no ids with base {base}; choose a lower base"),
                    )
                }),
        }
    }

    fn pick(&self, offset: u32) -> UnixIds {
        match self {
            Self::PerRole(base) => UnixIds::same(base.saturating_add(offset)),
            Self::OneUser(ids) => *ids,
        }
    }
}

/// The users of one shard's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardIds {
    plan: UidPlan,
    start: u32,
}

impl ShardIds {
    /// Whether slots have users of their own.
    pub fn is_isolated(&self) -> bool {
        self.plan.is_isolated()
    }

    /// The shard control plane and the php-fpm master: root, which must create files for slot
    /// users and switch to them.
    pub fn root(&self) -> UnixIds {
        match self.plan {
            UidPlan::PerRole(_) => UnixIds::root(),
            UidPlan::OneUser(ids) => ids,
        }
    }

    /// MariaDB.
    pub fn mariadb(&self) -> UnixIds {
        self.offset(0)
    }

    /// Redis.
    pub fn redis(&self) -> UnixIds {
        self.offset(1)
    }

    /// The gateway (data plane).
    pub fn gateway(&self) -> UnixIds {
        self.offset(2)
    }

    /// Whoever runs WordPress's installer for the template database.
    pub fn installer(&self) -> UnixIds {
        self.offset(3)
    }

    /// A slot.
    pub fn slot(&self, slot: Slot) -> UnixIds {
        self.offset(10 + slot.number())
    }

    /// The gids of all slots: the gateway's supplementary groups. Empty without isolation.
    pub fn slot_gids(&self) -> Vec<u32> {
        if !self.is_isolated() {
            return Vec::new();
        }
        Slot::all().map(|slot| self.slot(slot).gid).collect()
    }

    /// The users of all slots. Without isolation they are everybody's, so nothing is told by them.
    pub fn slot_uids(&self) -> Option<RangeInclusive<u32>> {
        let first = self.offset(11).uid;
        self.is_isolated().then(|| first..=first + SLOTS_PER_SHARD - 1)
    }

    fn offset(&self, offset: u32) -> UnixIds {
        match self.plan {
            UidPlan::PerRole(_) => UnixIds::same(self.start + offset),
            UidPlan::OneUser(ids) => ids,
        }
    }
}

const _: () = assert!(10 + SLOTS_PER_SHARD < UIDS_PER_SHARD, "slots fit into a shard's ids");

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn shard(number: u32) -> ShardId {
        ShardId::from_number(number).unwrap()
    }

    #[test]
    fn ids_are_those_of_the_plan() {
        let plan = UidPlan::PerRole(70_000);
        assert_eq!((plan.meta().uid, plan.edge().uid), (70_001, 70_002));
        let ids = plan.shard(shard(2)).unwrap();
        let slot = |n| ids.slot(Slot::new(n).unwrap()).uid;
        assert_eq!(
            [ids.mariadb().uid, ids.redis().uid, ids.gateway().uid, ids.installer().uid],
            [70_200, 70_201, 70_202, 70_203]
        );
        assert_eq!((slot(1), slot(50), ids.root().uid), (70_211, 70_260, 0));
        assert_eq!(ids.slot_gids().len(), 50);
        assert_eq!(ids.slot_uids(), Some(slot(1)..=slot(50)));
    }

    #[test]
    fn no_two_users_of_a_thousand_shards_are_the_same() {
        let plan = UidPlan::PerRole(DEFAULT_UID_BASE);
        let mut seen = HashSet::from([plan.meta().uid, plan.edge().uid]);
        for number in 1..=1000 {
            let ids = plan.shard(shard(number)).unwrap();
            let fixed = [ids.mariadb(), ids.redis(), ids.gateway(), ids.installer()];
            for one in fixed.into_iter().chain(Slot::all().map(|slot| ids.slot(slot))) {
                assert!(seen.insert(one.uid), "{} twice", one.uid);
            }
        }
    }

    #[test]
    fn without_root_all_are_one() {
        let me = UnixIds::same(1000);
        let ids = UidPlan::OneUser(me).shard(shard(3)).unwrap();
        assert!([ids.root(), ids.mariadb(), ids.slot(Slot::new(7).unwrap())] == [me; 3]);
        assert!(ids.slot_gids().is_empty() && ids.slot_uids().is_none());
    }

    #[test]
    fn a_base_too_high_is_refused() {
        assert!(UidPlan::PerRole(u32::MAX - 50).shard(shard(1)).is_err());
        assert!(UidPlan::PerRole(i32::MAX as u32).shard(shard(1)).is_err());
    }
}
