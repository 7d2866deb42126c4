//! The simulated database server: records and users, no rows.

use std::collections::BTreeMap;
use std::time::Duration;

use aipress_types::Secret;
use aipress_types::TenantUid;
use async_trait::async_trait;
use tokio::sync::mpsc;

use super::SimWorld;
use crate::Ensured;
use crate::content::Content;
use crate::content::DatabaseFacts;
use crate::database::BusySite;
use crate::database::Database;
use crate::database::DatabaseGrowth;
use crate::database::DatabaseRoom;
use crate::database::DatabaseSize;
use crate::database::DbObject;
use crate::database::DbObjectKind;
use crate::database::DbOwner;
use crate::database::Personalization;
use crate::database::SiteDatabase;
use crate::database::SiteState;
use crate::database::TemplateSource;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// What the server has.
#[derive(Debug, Default)]
pub(crate) struct State {
    templates: BTreeMap<String, String>,
    spares: BTreeMap<String, u32>,
    sites: BTreeMap<TenantUid, Site>,
    interrupt: bool,
}

#[derive(Debug)]
struct Site {
    state: SiteState,
    user: Option<User>,
    /// Stands for all its rows.
    version: u32,
    /// The version that a copy has.
    snapshot: Option<u32>,
}

#[derive(Debug)]
struct User {
    passwords: Vec<Secret>,
    locked: bool,
}

impl User {
    fn new(password: &Secret) -> Self {
        Self { passwords: vec![password.clone()], locked: false }
    }
}

impl State {
    /// Lets the next making of a site stop in the middle.
    pub(crate) fn interrupt_next(&mut self) {
        self.interrupt = true;
    }

    /// What stands for a site's rows, to be looked at and changed as its PHP would.
    pub(crate) fn version_mut(&mut self, uid: TenantUid) -> Option<&mut u32> {
        self.sites.get_mut(&uid).map(|site| &mut site.version)
    }

    /// Whether a site's user may sign in with a password.
    pub(crate) fn accepts(&self, uid: TenantUid, password: &Secret) -> bool {
        self.sites
            .get(&uid)
            .and_then(|site| site.user.as_ref())
            .is_some_and(|user| !user.locked && user.passwords.contains(password))
    }

    fn ensure_site(&mut self, site: &SiteDatabase, core: &str) -> Result<Ensured, DriverError> {
        let interrupted = std::mem::take(&mut self.interrupt);
        let what = || format!("ensure database {}", site.name);
        match self.sites.get_mut(&site.uid) {
            Some(Site { state: SiteState::Ready, user, .. }) => match user {
                Some(user) if user.passwords.contains(&site.password) => Ok(Ensured::Kept),
                Some(user) => {
                    user.passwords = vec![site.password.clone()];
                    Ok(Ensured::Repaired)
                }
                None => {
                    *user = Some(User::new(&site.password));
                    Ok(Ensured::Repaired)
                }
            },
            Some(Site { state: SiteState::Aside, .. }) => {
                Err(DriverError::conflict(what(), "it is set aside; bring it back instead"))
            }
            Some(Site { state: SiteState::Erasing, .. }) => {
                Err(DriverError::conflict(what(), "it is being erased"))
            }
            Some(Site { state: SiteState::Making, .. }) | None => {
                if !self.templates.contains_key(core) {
                    let what = format!("find template of wordpress {core}");
                    return Err(DriverError::failed(what, "not made yet"));
                }
                if let Some(spares) = self.spares.get_mut(core) {
                    *spares = spares.saturating_sub(1);
                }
                let state = if interrupted { SiteState::Making } else { SiteState::Ready };
                let user = Some(User::new(&site.password));
                self.sites.insert(site.uid, Site { state, user, version: 0, snapshot: None });
                Ok(Ensured::Created)
            }
        }
    }

    fn user(&mut self, uid: TenantUid) -> Result<&mut User, DriverError> {
        self.sites.get_mut(&uid).and_then(|site| site.user.as_mut()).ok_or_else(|| {
            DriverError::conflict(
                format!("change user {}", tenant_handle(uid)),
                "there is no such user; ensure the site's database first",
            )
        })
    }

    fn set_aside(&mut self, uid: TenantUid) -> Result<Ensured, DriverError> {
        let what = format!("set database {} aside", tenant_handle(uid));
        match self.sites.get_mut(&uid) {
            Some(site) if site.state == SiteState::Ready => {
                (site.state, site.user) = (SiteState::Aside, None);
                Ok(Ensured::Repaired)
            }
            Some(site) if site.state == SiteState::Aside => Ok(Ensured::Kept),
            Some(_) => Err(DriverError::conflict(what, "it was never complete; erase it")),
            None => Err(DriverError::conflict(what, "there is no record of it")),
        }
    }

    fn bring_back(&mut self, site: &SiteDatabase) -> Result<Ensured, DriverError> {
        match self.sites.get_mut(&site.uid) {
            Some(found) if found.state == SiteState::Aside => {
                found.state = SiteState::Ready;
                found.user = Some(User::new(&site.password));
                Ok(Ensured::Repaired)
            }
            Some(found) if found.state == SiteState::Ready => self.ensure_site(site, ""),
            _ => Err(DriverError::conflict(
                format!("bring database {} back", site.name),
                "it is not set aside",
            )),
        }
    }

    fn inventory(&self) -> Vec<DbObject> {
        let mut objects = Vec::new();
        for version in self.templates.keys() {
            objects.push(DbObject {
                kind: DbObjectKind::Database,
                name: format!("aipress_tpl_{version}"),
                owner: DbOwner::Template(version.clone()),
                locked: false,
            });
        }
        for (uid, site) in &self.sites {
            let owner = DbOwner::Site(*uid, site.state);
            let handle = tenant_handle(*uid);
            let object = |kind, name, locked| DbObject { kind, name, owner: owner.clone(), locked };
            objects.push(object(DbObjectKind::Record, handle.clone(), false));
            objects.push(object(DbObjectKind::Database, handle.clone(), false));
            if site.snapshot.is_some() {
                let name = format!("aipress_snap_{}", uid.0.simple());
                objects.push(object(DbObjectKind::Database, name, false));
            }
            if let Some(user) = &site.user {
                let name = format!("{handle}@localhost");
                let right = format!("{name} ON {}", handle.replace('_', "\\_"));
                objects.push(object(DbObjectKind::User, name, user.locked));
                objects.push(object(DbObjectKind::Grant, right, false));
            }
        }
        objects.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        objects
    }
}

#[async_trait]
impl Database for SimWorld {
    async fn health(&self) -> Result<(), DriverError> {
        self.call("database.health", |_| Ok(())).await
    }

    async fn trim_logs(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn ensure_template(
        &self,
        core_version: &str,
        source: &dyn TemplateSource,
    ) -> Result<Ensured, DriverError> {
        let revision = source.revision();
        self.call("database.ensure_template", |world| {
            let templates = &mut world.database.templates;
            if templates.get(core_version) == Some(&revision) {
                return Ok(Ensured::Kept);
            }
            templates.insert(core_version.to_owned(), revision);
            world.database.spares.remove(core_version);
            Ok(Ensured::Created)
        })
        .await
    }

    async fn ensure_spare(&self, core_version: &str, count: u32) -> Result<Ensured, DriverError> {
        self.call("database.ensure_spare", |world| {
            if !world.database.templates.contains_key(core_version) {
                return Err(DriverError::failed("prepare a database", "no template yet"));
            }
            let spares = world.database.spares.entry(core_version.to_owned()).or_default();
            if *spares >= count {
                return Ok(Ensured::Kept);
            }
            *spares += 1;
            Ok(Ensured::Created)
        })
        .await
    }

    async fn ensure_site(
        &self,
        site: &SiteDatabase,
        core_version: &str,
        _personalization: &Personalization,
    ) -> Result<Ensured, DriverError> {
        self.call("database.ensure_site", |world| world.database.ensure_site(site, core_version))
            .await
    }

    async fn ensure_site_from(
        &self,
        site: &SiteDatabase,
        core_version: &str,
        content: &Content,
    ) -> Result<Ensured, DriverError> {
        let ready = self
            .call("database.ensure_site_from", |world| {
                let state = world.database.sites.get(&site.uid).map(|site| site.state);
                let none =
                    || Site { state: SiteState::Making, user: None, version: 0, snapshot: None };
                world.database.sites.entry(site.uid).or_insert_with(none);
                Ok(state == Some(SiteState::Ready))
            })
            .await?;
        if !ready {
            super::open_content(content).await?;
        }
        self.call("database.loaded", |world| {
            world.database.templates.entry(core_version.to_owned()).or_default();
            world.database.ensure_site(site, core_version)
        })
        .await
    }

    async fn facts(&self, _uid: TenantUid) -> Result<DatabaseFacts, DriverError> {
        self.call("database.facts", |_| Ok(DatabaseFacts::default())).await
    }

    async fn dump(
        &self,
        _uid: TenantUid,
        chunks: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), DriverError> {
        self.call("database.dump", |_| Ok(())).await?;
        // Nobody may listen any more.
        let _ = chunks.send(b"CREATE TABLE `wp_sim` (`a` int);\n".to_vec()).await;
        Ok(())
    }

    async fn set_passwords(
        &self,
        uid: TenantUid,
        accepted: &[Secret],
    ) -> Result<Ensured, DriverError> {
        self.call("database.set_passwords", |world| {
            if accepted.is_empty() || accepted.len() > 2 {
                let detail = "a user has one password, or two while rotating";
                return Err(DriverError::invalid("set database passwords", detail));
            }
            let user = world.database.user(uid)?;
            if user.passwords == accepted {
                return Ok(Ensured::Kept);
            }
            user.passwords = accepted.to_vec();
            Ok(Ensured::Repaired)
        })
        .await
    }

    async fn suspend(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("database.suspend", |world| {
            let user = world.database.user(uid)?;
            let before = std::mem::replace(&mut user.locked, true);
            Ok(if before { Ensured::Kept } else { Ensured::Repaired })
        })
        .await
    }

    async fn resume(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("database.resume", |world| {
            let user = world.database.user(uid)?;
            let before = std::mem::replace(&mut user.locked, false);
            Ok(if before { Ensured::Repaired } else { Ensured::Kept })
        })
        .await
    }

    async fn set_aside(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("database.set_aside", |world| world.database.set_aside(uid)).await
    }

    async fn bring_back(&self, site: &SiteDatabase) -> Result<Ensured, DriverError> {
        self.call("database.bring_back", |world| world.database.bring_back(site)).await
    }

    async fn erase(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("database.erase", |world| {
            let there = world.database.sites.remove(&uid).is_some();
            Ok(if there { Ensured::Repaired } else { Ensured::Kept })
        })
        .await
    }

    async fn snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("database.snapshot", |world| {
            let Some(site) = world.database.sites.get_mut(&uid) else {
                return Err(DriverError::conflict("keep a copy", "there is no such database"));
            };
            if site.snapshot.is_some() {
                return Ok(Ensured::Kept);
            }
            site.snapshot = Some(site.version);
            Ok(Ensured::Created)
        })
        .await
    }

    async fn restore_snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("database.restore_snapshot", |world| {
            let found = world.database.sites.get_mut(&uid);
            let Some((site, version)) =
                found.and_then(|site| site.snapshot.take().map(|version| (site, version)))
            else {
                return Ok(Ensured::Kept);
            };
            site.version = version;
            Ok(Ensured::Repaired)
        })
        .await
    }

    async fn drop_snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("database.drop_snapshot", |world| {
            let found = world.database.sites.get_mut(&uid).and_then(|site| site.snapshot.take());
            Ok(if found.is_some() { Ensured::Repaired } else { Ensured::Kept })
        })
        .await
    }

    async fn rooms(&self) -> Result<Vec<DatabaseRoom>, DriverError> {
        self.call("database.rooms", |world| Ok(world.rooms.values().copied().collect())).await
    }

    async fn set_growth(
        &self,
        uid: TenantUid,
        growth: DatabaseGrowth,
    ) -> Result<Ensured, DriverError> {
        self.call("database.set_growth", |world| {
            if let Some(room) = world.rooms.get_mut(&uid) {
                room.growth = growth;
            }
            Ok(Ensured::Repaired)
        })
        .await
    }

    async fn give_back_logs(&self) -> Result<Ensured, DriverError> {
        self.call("database.give_back_logs", |_| Ok(Ensured::Kept)).await
    }

    async fn end_long_queries(
        &self,
        _longer_than: Duration,
    ) -> Result<Vec<TenantUid>, DriverError> {
        self.call("database.end_long_queries", |world| Ok(std::mem::take(&mut world.long_queries)))
            .await
    }

    async fn calm_queries(&self) -> Result<Vec<BusySite>, DriverError> {
        self.call("database.calm_queries", |world| Ok(world.busy_queries.clone())).await
    }

    async fn size(&self, _uid: TenantUid) -> Result<DatabaseSize, DriverError> {
        self.call("database.size", |_| Ok(DatabaseSize::default())).await
    }

    async fn cron_due(&self, uid: TenantUid) -> Result<Option<i64>, DriverError> {
        self.call("database.cron_due", |world| Ok(world.cron_due.get(&uid).copied())).await
    }

    async fn inventory(&self) -> Result<Vec<DbObject>, DriverError> {
        self.call("database.inventory", |world| Ok(world.database.inventory())).await
    }
}
