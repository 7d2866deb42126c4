//! The simulated shares: nothing is short.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::SimWorld;
use crate::error::DriverError;
use crate::layout::Slot;
use crate::share::Share;
use crate::share::ShareControls;
use crate::share::ShareMet;
use crate::share::SlotShare;
use crate::share::Told;
use crate::share::ToldLimit;

/// As good as endless.
const FREE: u64 = 1 << 50;

#[async_trait]
impl Share for SimWorld {
    fn controls(&self) -> ShareControls {
        ShareControls::default()
    }

    async fn ensure_share(&self, slot: Slot, share: &SlotShare) -> Result<(), DriverError> {
        self.call("share.ensure_share", |world| {
            world.shares.insert(slot, *share);
            Ok(())
        })
        .await
    }

    async fn place(&self) -> Result<(), DriverError> {
        self.call("share.place", |_| Ok(())).await
    }

    async fn busy(&self) -> Result<BTreeSet<Slot>, DriverError> {
        self.call("share.busy", |world| Ok(world.workers.keys().copied().collect())).await
    }

    async fn share_met(&self, slot: Slot) -> Result<ShareMet, DriverError> {
        let met = self.call("share.share_met", |world| Ok(world.met.get(&slot).copied())).await?;
        Ok(met.unwrap_or_default())
    }

    async fn set_full(&self, slot: Slot, is_full: bool) -> Result<(), DriverError> {
        let changed = self.call("share.set_full", |world| {
            Ok(if is_full { world.full.insert(slot) } else { world.full.remove(&slot) })
        });
        changed.await.map(|_| ())
    }

    async fn free_bytes(&self) -> Result<u64, DriverError> {
        self.call("share.free_bytes", |world| Ok(world.free.unwrap_or(FREE))).await
    }

    async fn total_bytes(&self) -> Result<u64, DriverError> {
        self.call("share.total_bytes", |_| Ok(FREE)).await
    }

    async fn tell_limits(&self, slot: Slot, limits: &[ToldLimit]) -> Result<(), DriverError> {
        let limits = limits.to_vec();
        let told = self.call("share.tell_limits", move |world| Ok(world.told.insert(slot, limits)));
        told.await.map(|_| ())
    }

    async fn told(&self, slot: Slot) -> Result<Told, DriverError> {
        self.call("share.told", |world| {
            let limits = world.told.get(&slot).cloned().unwrap_or_default();
            Ok(Told { is_full: world.full.contains(&slot), limits })
        })
        .await
    }
}
