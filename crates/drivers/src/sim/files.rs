//! The simulated folders: which exist and whose they are, nothing in them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::mpsc::SyncSender;

use aipress_types::TenantUid;
use async_trait::async_trait;

use super::SimWorld;
use crate::Ensured;
use crate::content::Content;
use crate::content::ContentFacts;
use crate::content::ContentPiece;
use crate::error::DriverError;
use crate::files::DiskHeld;
use crate::files::DiskUsage;
use crate::files::FileObject;
use crate::files::Files;
use crate::files::LoginToken;
use crate::files::Restored;
use crate::files::SiteConfig;
use crate::layout::Slot;

/// What the folders have.
#[derive(Debug, Default)]
pub(crate) struct State {
    slots: BTreeMap<Slot, SlotDir>,
    /// Sites in place, each with the slot whose user owns it.
    sites: BTreeMap<TenantUid, Slot>,
    trash: BTreeSet<TenantUid>,
    logs: BTreeSet<TenantUid>,
}

#[derive(Debug, Default)]
struct SlotDir {
    config: Option<Box<SiteConfig>>,
    link: Option<TenantUid>,
}

impl State {
    pub(crate) fn config(&self, slot: Slot) -> Option<&SiteConfig> {
        self.slots.get(&slot)?.config.as_deref()
    }

    pub(crate) fn is_linked(&self, slot: Slot, uid: TenantUid) -> bool {
        self.sites.get(&uid) == Some(&slot)
            && self.slots.get(&slot).is_some_and(|dir| dir.link == Some(uid))
    }

    fn slot(&mut self, slot: Slot) -> Result<&mut SlotDir, DriverError> {
        self.slots
            .get_mut(&slot)
            .ok_or_else(|| DriverError::failed(format!("use slot {slot}"), "it has no folder"))
    }

    fn ensure_site(&mut self, uid: TenantUid, slot: Slot) -> Result<Ensured, DriverError> {
        let what = || format!("ensure folder of site {uid}");
        let linked = self.slot(slot)?.link;
        if linked.is_some_and(|other| other != uid) {
            return Err(DriverError::conflict(what(), "the slot still has another site"));
        }
        if !self.sites.contains_key(&uid) && self.trash.contains(&uid) {
            return Err(DriverError::conflict(what(), "it is in the trash; restore it instead"));
        }
        let made = !self.sites.contains_key(&uid);
        if *self.sites.entry(uid).or_insert(slot) != slot {
            return Err(DriverError::conflict(what(), "it is another slot's"));
        }
        self.logs.insert(uid);
        self.slot(slot)?.link = Some(uid);
        Ok(match (made, linked) {
            (true, _) => Ensured::Created,
            (false, None) => Ensured::Repaired,
            (false, Some(_)) => Ensured::Kept,
        })
    }

    fn restore(&mut self, uid: TenantUid, slot: Slot) -> Result<Restored, DriverError> {
        let what = || format!("restore site {uid}");
        match self.sites.get(&uid) {
            Some(owner) if *owner == slot => Ok(Restored::default()),
            Some(_) => Err(DriverError::conflict(what(), "it is in place already")),
            None if self.trash.remove(&uid) => {
                self.sites.insert(uid, slot);
                Ok(Restored { entries: 1, refused: Vec::new() })
            }
            None => Err(DriverError::conflict(what(), "it is not in the trash")),
        }
    }

    fn inventory(&self) -> Vec<FileObject> {
        let mut objects = Vec::new();
        for (slot, dir) in &self.slots {
            if let Some(link) = dir.link {
                objects.push(FileObject::SlotLink(*slot, Some(link)));
            }
            if let Some(config) = &dir.config {
                objects.push(FileObject::SlotConfig(*slot, Some(config.uid)));
            }
        }
        objects.extend(self.sites.keys().map(|uid| FileObject::Site(*uid)));
        objects.extend(self.logs.iter().map(|uid| FileObject::Log(*uid)));
        objects.extend(self.trash.iter().map(|uid| FileObject::Trash(*uid)));
        objects
    }
}

#[async_trait]
impl Files for SimWorld {
    async fn ensure_slot(&self, slot: Slot) -> Result<Ensured, DriverError> {
        self.call("files.ensure_slot", |world| {
            if world.files.slots.contains_key(&slot) {
                return Ok(Ensured::Kept);
            }
            world.files.slots.insert(slot, SlotDir::default());
            Ok(Ensured::Created)
        })
        .await
    }

    async fn ensure_site(&self, uid: TenantUid, slot: Slot) -> Result<Ensured, DriverError> {
        self.call("files.ensure_site", |world| world.files.ensure_site(uid, slot)).await
    }

    async fn ensure_site_from(
        &self,
        uid: TenantUid,
        slot: Slot,
        content: &Content,
    ) -> Result<Ensured, DriverError> {
        let there = self
            .call("files.ensure_site_from", |world| Ok(world.files.sites.contains_key(&uid)))
            .await?;
        if !there {
            super::open_content(content).await?;
        }
        self.call("files.unpacked", |world| world.files.ensure_site(uid, slot)).await
    }

    async fn measure_content(&self, _uid: TenantUid) -> Result<ContentFacts, DriverError> {
        self.call("files.measure_content", |_| Ok(ContentFacts::default())).await
    }

    async fn read_content(
        &self,
        _uid: TenantUid,
        pieces: SyncSender<ContentPiece>,
    ) -> Result<(), DriverError> {
        self.call("files.read_content", |_| Ok(())).await?;
        // Nobody may listen any more.
        let _ = pieces.try_send(ContentPiece::Folder { path: Vec::new(), mtime: 0 });
        Ok(())
    }

    async fn write_site_json(
        &self,
        slot: Slot,
        config: &SiteConfig,
    ) -> Result<Ensured, DriverError> {
        self.call("files.write_site_json", |world| {
            let dir = world.files.slot(slot)?;
            if dir.config.as_deref() == Some(config) {
                return Ok(Ensured::Kept);
            }
            let before = dir.config.replace(Box::new(config.clone()));
            Ok(if before.is_some() { Ensured::Repaired } else { Ensured::Created })
        })
        .await
    }

    async fn clear_slot(&self, slot: Slot) -> Result<Ensured, DriverError> {
        self.call("files.clear_slot", |world| {
            let Some(dir) = world.files.slots.get_mut(&slot) else { return Ok(Ensured::Kept) };
            let there = dir.config.take().is_some() | dir.link.take().is_some();
            Ok(if there { Ensured::Repaired } else { Ensured::Kept })
        })
        .await
    }

    async fn trash_site(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("files.trash_site", |world| {
            let (site, trashed) =
                (world.files.sites.contains_key(&uid), world.files.trash.contains(&uid));
            match (site, trashed) {
                (false, true) => Ok(Ensured::Kept),
                (true, false) => {
                    world.files.sites.remove(&uid);
                    world.files.trash.insert(uid);
                    Ok(Ensured::Repaired)
                }
                _ => Err(DriverError::conflict(
                    format!("move site {uid} to the trash"),
                    "it has no folder, or two",
                )),
            }
        })
        .await
    }

    async fn restore_site(&self, uid: TenantUid, slot: Slot) -> Result<Restored, DriverError> {
        self.call("files.restore_site", |world| world.files.restore(uid, slot)).await
    }

    async fn erase_site(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("files.erase_site", |world| {
            let there = world.files.sites.remove(&uid).is_some()
                | world.files.trash.remove(&uid)
                | world.files.logs.remove(&uid);
            Ok(if there { Ensured::Repaired } else { Ensured::Kept })
        })
        .await
    }

    async fn write_login_token(
        &self,
        uid: TenantUid,
        slot: Slot,
        _token: &LoginToken,
        _now_unix_s: i64,
    ) -> Result<(), DriverError> {
        self.call("files.write_login_token", |world| {
            if world.files.is_linked(slot, uid) {
                return Ok(());
            }
            let what = format!("write login of site {uid}");
            Err(DriverError::conflict(what, format!("the site does not sit in slot {slot}")))
        })
        .await
    }

    async fn usage(&self, _uid: TenantUid) -> Result<DiskUsage, DriverError> {
        self.call("files.usage", |_| Ok(DiskUsage::default())).await
    }

    async fn hold(
        &self,
        uid: TenantUid,
        _slot: Slot,
        bytes_max: u64,
    ) -> Result<Option<DiskHeld>, DriverError> {
        self.call("files.hold", move |world| {
            Ok(world.quotas.get_mut(&uid).map(|held| {
                held.0 = bytes_max;
                held.1
            }))
        })
        .await
    }

    async fn taken(&self, _uid: TenantUid, _slot: Slot) -> Result<u64, DriverError> {
        self.call("files.taken", |_| Ok(0)).await
    }

    async fn changed_at(&self, uid: TenantUid) -> Result<Option<i64>, DriverError> {
        self.call("files.changed_at", |world| Ok(world.marks.get(&uid).copied())).await
    }

    async fn cron_marks(
        &self,
        sites: &[TenantUid],
    ) -> Result<BTreeMap<TenantUid, i64>, DriverError> {
        let sites = sites.to_vec();
        self.call("files.cron_marks", move |world| {
            let mark = |uid: &TenantUid| Some((*uid, *world.cron_marks.get(uid)?));
            Ok(sites.iter().filter_map(mark).collect())
        })
        .await
    }

    async fn inventory(&self) -> Result<Vec<FileObject>, DriverError> {
        self.call("files.inventory", |world| Ok(world.files.inventory())).await
    }
}
