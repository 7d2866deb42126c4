//! Compares all that exists with all that was asked for; whatever has no counterpart, on either
//! side, is an error.

use std::collections::BTreeSet;

use aipress_api::internal::InventoryItem;
use aipress_api::internal::ShardInventory;
use aipress_drivers::AclUser;
use aipress_drivers::DbObject;
use aipress_drivers::DbObjectKind;
use aipress_drivers::DbOwner;
use aipress_drivers::DriverError;
use aipress_drivers::FileObject;
use aipress_drivers::PhpWorker;
use aipress_drivers::Slot;
use aipress_drivers::layout::tenant_handle;
use aipress_types::DesiredState;
use aipress_types::TenantUid;

use crate::plane::Plane;
use crate::reconcilers::tenant::master::is_wanted;
use crate::tenants::Tenant;

/// Looks at everything once.
///
/// # Errors
/// When a part can't be looked at.
pub(crate) async fn take(plane: &Plane) -> Result<ShardInventory, DriverError> {
    let drivers = &plane.drivers;
    let (database, cache, files, php, masters) = tokio::try_join!(
        drivers.database.inventory(),
        drivers.cache.inventory(),
        drivers.files.inventory(),
        drivers.php.inventory(),
        drivers.php.masters(),
    )?;
    let tenants = plane.tenants.list();
    let mut book = Book { tenants: &tenants, seen: BTreeSet::new(), items: Vec::new() };
    database.iter().for_each(|object| book.database(object));
    cache.iter().for_each(|user| book.cache(user));
    files.iter().for_each(|object| book.file(object));
    php.iter().for_each(|worker| book.worker(worker));
    masters.iter().for_each(|slot| book.master(plane, *slot));
    book.sockets(plane);
    book.tenants(&plane.unlisted.load());
    Ok(ShardInventory { shard: plane.config.id.to_string(), items: book.items })
}

/// What is compared, and what came of it.
struct Book<'a> {
    tenants: &'a [Tenant],
    /// `kind name` of every explained thing, to find what is missing.
    seen: BTreeSet<String>,
    items: Vec<InventoryItem>,
}

impl Book<'_> {
    fn add(
        &mut self,
        kind: &str,
        name: impl Into<String>,
        tenant: Option<TenantUid>,
        explained_by: Option<&str>,
        problem: Option<String>,
    ) {
        let name = name.into();
        if problem.is_none() {
            self.seen.insert(format!("{kind} {name}"));
        }
        self.items.push(InventoryItem {
            kind: kind.to_owned(),
            name,
            tenant,
            explained_by: explained_by.map(str::to_owned),
            problem,
        });
    }

    fn tenant(&self, uid: TenantUid) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.entry.intent.uid == uid)
    }

    /// A thing of `uid`: an error unless a tenant that should have such a thing explains it.
    fn of_tenant(
        &mut self,
        kind: &str,
        name: String,
        uid: TenantUid,
        expected: impl Fn(&Tenant) -> bool,
    ) {
        let problem = match self.tenant(uid) {
            None => Some("no tenant of this shard explains it".to_owned()),
            Some(tenant) if !tenant.converged() || expected(tenant) => None,
            Some(tenant) => Some(format!(
                "should not be there for a {} tenant",
                tenant.entry.intent.desired.reached()
            )),
        };
        self.add(kind, name, Some(uid), None, problem);
    }

    fn database(&mut self, object: &DbObject) {
        let kind = match object.kind {
            DbObjectKind::Record => "record",
            DbObjectKind::Database => "database",
            DbObjectKind::User => "user",
            DbObjectKind::Grant => "grant",
        };
        let name = object.name.clone();
        match &object.owner {
            DbOwner::Platform => self.add(kind, name, None, Some("platform"), None),
            DbOwner::Template(version) => {
                self.add(kind, name, None, Some(&format!("template of WordPress {version}")), None);
            }
            DbOwner::Site(uid, _) => {
                let kept = matches!(object.kind, DbObjectKind::Record | DbObjectKind::Database);
                self.of_tenant(kind, name, *uid, |tenant| {
                    in_slot(tenant) || (kept && desired(tenant) == DesiredState::Deleted)
                });
            }
            DbOwner::Unrecorded(uid) => self.of_tenant(kind, name, *uid, |_| false),
            DbOwner::Unexplained => {
                self.add(kind, name, None, None, Some("nothing explains it".to_owned()));
            }
        }
    }

    fn cache(&mut self, user: &AclUser) {
        match (user.uid, user.platform) {
            (Some(uid), _) => self.of_tenant("acl", user.name.clone(), uid, in_slot),
            (None, true) => self.add("acl", &user.name, None, Some("platform"), None),
            (None, false) => {
                self.add("acl", &user.name, None, None, Some("nothing explains it".to_owned()));
            }
        }
    }

    fn file(&mut self, object: &FileObject) {
        match object {
            FileObject::SlotConfig(slot, Some(uid)) => {
                self.of_tenant("slot-config", slot_name(*slot), *uid, |tenant| sits(tenant, *slot));
            }
            FileObject::SlotLink(slot, Some(uid)) => {
                self.of_tenant("slot-link", slot_name(*slot), *uid, |tenant| sits(tenant, *slot));
            }
            FileObject::SlotConfig(slot, None) | FileObject::SlotLink(slot, None) => {
                let problem = Some("does not name a tenant".to_owned());
                self.add("slot", slot_name(*slot), None, None, problem);
            }
            FileObject::Site(uid) => {
                self.of_tenant("folder", format!("sites/{uid}"), *uid, in_slot);
            }
            FileObject::Trash(uid) => {
                self.of_tenant("folder", format!("trash/{uid}"), *uid, |tenant| {
                    desired(tenant) == DesiredState::Deleted
                });
            }
            FileObject::Log(uid) => {
                self.of_tenant("folder", format!("logs/{uid}"), *uid, |tenant| {
                    desired(tenant) != DesiredState::Erased
                });
            }
            FileObject::Erasing(uid) => {
                let problem = Some("its erasing was interrupted".to_owned());
                self.add("folder", format!("erasing/{uid}"), Some(*uid), None, problem);
            }
            FileObject::Unexplained(path) => {
                let problem = Some("nothing explains it".to_owned());
                self.add("folder", path.display().to_string(), None, None, problem);
            }
        }
    }

    fn worker(&mut self, worker: &PhpWorker) {
        let name = format!("php worker {} of slot {}", worker.pid, worker.slot);
        let owner = self.tenants.iter().find(|tenant| sits(tenant, worker.slot));
        let uid = owner.map(|tenant| tenant.entry.intent.uid);
        // php-fpm puts a fresh worker in the place of a killed one: it has served nobody, and ends
        // when it has idled for long enough.
        let explained_by = uid.is_none().then_some("idle in a free slot");
        let problem = worker.orphan.then(|| "its master is gone".to_owned());
        self.add("process", name, uid, explained_by, problem);
    }

    /// A slot's own php-fpm master, and its socket.
    fn master(&mut self, plane: &Plane, slot: Slot) {
        let owner = self.tenants.iter().find(|tenant| sits(tenant, slot));
        let problem = match owner {
            None => Some("its slot is free".to_owned()),
            Some(tenant) if !tenant.converged() || is_wanted(&tenant.entry.intent) => None,
            Some(tenant) => Some(format!(
                "should not be there for a {} tenant of tier {}",
                desired(tenant).reached(),
                tenant.entry.intent.spec.tier
            )),
        };
        let uid = owner.map(|tenant| tenant.entry.intent.uid);
        self.add("php-master", slot_name(slot), uid, None, problem);
        let socket = plane.config.paths.fpm_own_socket(slot);
        let problem = (!socket.exists()).then(|| "is not there".to_owned());
        self.add("socket", socket.display().to_string(), uid, None, problem);
    }

    fn sockets(&mut self, plane: &Plane) {
        let paths = &plane.config.paths;
        let mut wanted = vec![
            paths.control_socket(),
            paths.gateway_socket(),
            paths.mariadb_socket(),
            paths.redis_socket(),
        ];
        wanted.extend(Slot::all().take(plane.config.slots as usize).map(|s| paths.fpm_socket(s)));
        for path in wanted {
            let problem = (!path.exists()).then(|| "is not there".to_owned());
            self.add("socket", path.display().to_string(), None, Some("platform"), problem);
        }
    }

    /// The other side: tenants, and what each should have and has not.
    fn tenants(&mut self, unlisted: &BTreeSet<TenantUid>) {
        for tenant in self.tenants {
            let intent = &tenant.entry.intent;
            let uid = intent.uid;
            let problem = unlisted
                .contains(&uid)
                .then(|| "the registry does not know this tenant".to_owned());
            self.add("tenant", intent.name.as_str(), Some(uid), Some("intent"), problem);
            if tenant.converged() {
                self.missing(tenant, uid);
            }
        }
    }

    fn missing(&mut self, tenant: &Tenant, uid: TenantUid) {
        let handle = tenant_handle(uid);
        let mut wanted = Vec::new();
        if in_slot(tenant) {
            wanted.push(format!("database {handle}"));
            wanted.push(format!("acl {handle}"));
            wanted.push(format!("folder sites/{uid}"));
            wanted.push(format!("folder logs/{uid}"));
            if let Some(slot) = tenant.entry.slot.and_then(Slot::new) {
                wanted.push(format!("slot-config {}", slot_name(slot)));
                wanted.push(format!("slot-link {}", slot_name(slot)));
                if is_wanted(&tenant.entry.intent) {
                    wanted.push(format!("php-master {}", slot_name(slot)));
                }
            }
        } else if desired(tenant) == DesiredState::Deleted && tenant.entry.built {
            wanted.push(format!("database {handle}"));
            wanted.push(format!("folder trash/{uid}"));
        }
        for thing in wanted {
            if !self.seen.contains(&thing) {
                let (kind, name) = thing.split_once(' ').unwrap_or(("thing", &thing));
                let problem = Some("is missing".to_owned());
                self.add(kind, name, Some(uid), None, problem);
            }
        }
    }
}

fn desired(tenant: &Tenant) -> DesiredState {
    tenant.entry.intent.desired
}

fn in_slot(tenant: &Tenant) -> bool {
    matches!(desired(tenant), DesiredState::Active | DesiredState::Suspended)
}

fn sits(tenant: &Tenant, slot: Slot) -> bool {
    tenant.entry.slot == Some(slot.number())
}

fn slot_name(slot: Slot) -> String {
    format!("slots/{slot}")
}
