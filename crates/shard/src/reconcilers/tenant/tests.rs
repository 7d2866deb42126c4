//! Reconciling on the simulated machine: every call fails once, hangs once and is cut off, and
//! it ends the same.

mod core_move;
mod makings;
mod own_php;
mod rotation;

use super::*;
use crate::config::LimitOverrides;
use crate::config::ShardConfig;
use crate::core::CoreSource;
use crate::core::ShardCore;
use crate::fixtures::Pages;
use crate::fixtures::Shelf;
use crate::fixtures::intent;
use crate::fixtures::secrets;
use crate::inventory;
use crate::mail::MailSettings;
use crate::reconcilers::health;
use crate::run::World;
use crate::sites;
use aipress_drivers::DataPaths;
use aipress_drivers::DriverError;
use aipress_drivers::Slot;
use aipress_drivers::TemplateAccess;
use aipress_drivers::TemplateSource;
use aipress_drivers::sim::Fault;
use aipress_drivers::sim::FaultKind;
use aipress_drivers::sim::SimWorld;
use aipress_kit::clock::Clock;
use aipress_kit::http::Endpoint;
use aipress_kit::http::outgoing::Trust;
use aipress_types::ObservedPhase;
use aipress_types::ShardHealth;
use aipress_types::ShardId;
use aipress_types::TenantIntent;
use aipress_types::Tier;
use async_trait::async_trait;

/// Every call that a reconciler makes of the world.
const CALLS: &[&str] = &[
    "php.recycle_slot",
    "files.ensure_slot",
    "database.ensure_template",
    "database.ensure_site",
    "database.resume",
    "cache.ensure_user",
    "files.ensure_site",
    "files.write_site_json",
    "database.suspend",
    "files.clear_slot",
    "files.trash_site",
    "cache.remove_user",
    "database.set_aside",
    "files.restore_site",
    "database.bring_back",
    "database.erase",
    "files.erase_site",
    "php.master_health",
    "php.ensure_master",
    "php.end_master",
    "database.set_passwords",
    "php.processes",
    "php.retire",
];

struct Empty;

#[async_trait]
impl TemplateSource for Empty {
    fn revision(&self) -> String {
        "1".to_owned()
    }

    async fn fill(&self, _: &TemplateAccess) -> Result<(), DriverError> {
        Ok(())
    }
}

struct Cores;

#[async_trait]
impl CoreSource for Cores {
    async fn resolve(&self, wanted: Option<&str>) -> Result<ShardCore, String> {
        match wanted {
            None | Some("7.1") => Ok(core("7.1", 60_717)),
            Some("7.0") => Ok(core("7.0", 60_000)),
            Some("6.8") => Ok(core("6.8", 60_000)),
            Some(other) => Err(format!("no WordPress {other}")),
        }
    }
}

fn core(version: &str, db_version: u64) -> ShardCore {
    ShardCore {
        version: version.to_owned(),
        dir: format!("/cores/wordpress/{version}").into(),
        db_version: Some(db_version),
        template: Arc::new(Empty),
    }
}

pub(crate) struct Machine {
    pub(crate) world: SimWorld,
    pub(super) pages: Arc<Pages>,
    pub(super) shelf: Arc<Shelf>,
    dir: tempfile::TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            world: SimWorld::new(),
            pages: Arc::default(),
            shelf: Arc::default(),
            // Each change is synced: in memory that costs nothing, and no disk is what is tried.
            dir: tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap(),
        }
    }

    /// A control plane as it starts on what the last one left.
    pub(crate) fn plane(&self) -> Arc<Plane> {
        let id = ShardId::from_number(1).unwrap();
        let paths = DataPaths::new(self.dir.path()).unwrap().shard(id);
        std::fs::create_dir_all(paths.dir()).unwrap();
        // The sockets that an inventory looks for.
        std::fs::create_dir_all(paths.fpm()).unwrap();
        let sockets = [
            paths.control_socket(),
            paths.gateway_socket(),
            paths.mariadb_socket(),
            paths.redis_socket(),
        ];
        let pools =
            Slot::all().flat_map(|slot| [paths.fpm_socket(slot), paths.fpm_own_socket(slot)]);
        for socket in sockets.into_iter().chain(pools) {
            std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
            std::fs::write(socket, b"").unwrap();
        }
        let config = ShardConfig {
            limits: LimitOverrides::default(),
            id,
            region: "us-central1".to_owned(),
            slots: 50,
            paths,
            php_dir: "/php".into(),
            mail: MailSettings {
                server: None,
                user: None,
                password_file: None,
                trust: Trust::System,
                domain: "localhost".to_owned(),
            },
            has_wp_cli: false,
            meta: Endpoint::Unix("/nowhere".into()),
            role_token: String::new(),
            control_url: String::new(),
            gateway_url: String::new(),
            callers: Vec::new(),
        };
        let plane = crate::run::open(
            config,
            self.world.drivers(),
            Arc::new(Cores),
            World { visitor: Arc::clone(&self.pages) as _, packages: Arc::clone(&self.shelf) as _ },
            Clock::system(),
        )
        .unwrap();
        // A gateway that takes every table at once.
        plane.sites_taken.send_replace(u64::MAX);
        Arc::new(plane)
    }
}

/// Runs until it is done or will not be.
pub(crate) async fn settle(plane: &Arc<Plane>, uid: TenantUid) -> Outcome {
    for _ in 0..20 {
        match reconcile(Arc::clone(plane), uid).await {
            Outcome::Retry => {}
            end => return end,
        }
    }
    panic!("it never settles");
}

async fn unexplained(plane: &Plane) -> Vec<String> {
    let inventory = inventory::take(plane).await.unwrap();
    let wrong = inventory.items.into_iter().filter(|item| item.problem.is_some());
    wrong.map(|item| format!("{} {}: {}", item.kind, item.name, item.problem.unwrap())).collect()
}

/// The life of a site, each reached from the one before: state, tier and which secrets.
const LIFE: &[(DesiredState, Tier, u32)] = &[
    (DesiredState::Active, Tier::Bronze, 1),
    (DesiredState::Active, Tier::Gold, 2),
    (DesiredState::Suspended, Tier::Gold, 3),
    (DesiredState::Active, Tier::Gold, 4),
    (DesiredState::Deleted, Tier::Gold, 4),
    (DesiredState::Active, Tier::Gold, 4),
    (DesiredState::Active, Tier::Silver, 5),
    (DesiredState::Suspended, Tier::Silver, 5),
    (DesiredState::Active, Tier::Gold, 5),
    (DesiredState::Deleted, Tier::Bronze, 6),
    (DesiredState::Erased, Tier::Bronze, 6),
];

fn ask(base: &TenantIntent, generation: u64, desired: DesiredState) -> TenantIntent {
    TenantIntent { generation, desired, ..base.clone() }
}

fn ask_tier(base: &TenantIntent, generation: u64, tier: Tier) -> TenantIntent {
    let mut intent = ask(base, generation, DesiredState::Active);
    intent.spec.tier = tier;
    intent
}

/// The `index`-th stage of a life, and what it is.
fn stage(base: &TenantIntent, index: usize) -> TenantIntent {
    let (desired, tier, number) = LIFE[index];
    let secrets = secrets(number);
    TenantIntent { desired, secrets, ..ask_tier(base, index as u64 + 1, tier) }
}

async fn check(
    machine: &Machine,
    plane: &Plane,
    uid: TenantUid,
    wanted: &TenantIntent,
    context: &str,
) {
    let desired = wanted.desired;
    let tenant = plane.tenants.fetch(uid).unwrap();
    assert!(tenant.converged(), "{context}: {:?}", tenant.observed);
    let slot = tenant.entry.slot.and_then(Slot::new);
    let serves = slot.is_some_and(|slot| machine.world.can_serve(slot));
    assert_eq!(serves, desired == DesiredState::Active, "{context}");
    assert_eq!(tenant.entry.rotation, None, "{context}");
    if serves {
        let config = machine.world.site_config(slot.unwrap()).unwrap();
        assert_eq!(config.db.password, wanted.secrets.db_password, "{context}");
        assert_eq!(config.salts, wanted.secrets.salts, "{context}");
        // And with none that it had before.
        for number in 1..7 {
            let (database, cache) = machine.world.accepts(uid, &secrets(number));
            let is_wanted = secrets(number) == wanted.secrets;
            assert_eq!((database, cache), (is_wanted, is_wanted), "{context}: {number}");
        }
    }
    let sits = matches!(desired, DesiredState::Active | DesiredState::Suspended);
    assert_eq!(slot.is_some(), sits, "{context}");
    // Gold has a master of its own while it is served, and nobody else ever has.
    let own = desired == DesiredState::Active && wanted.spec.tier == Tier::Gold;
    let masters = machine.world.drivers().php.masters().await.unwrap();
    assert_eq!(masters, slot.filter(|_| own).into_iter().collect::<Vec<_>>(), "{context}");
    assert_eq!(tenant.entry.master, if own { Master::Own } else { Master::Shared }, "{context}");
    assert_eq!(meets_own(plane), own, "{context}");
}

/// Whether the gateway's table sends the only site's visitors to a master of its own.
fn meets_own(plane: &Plane) -> bool {
    let table = sites::table(plane);
    table.iter().any(|site| site.fpm_socket.to_string_lossy().ends_with("-own.sock"))
}

async fn live(fault: Option<(&'static str, FaultKind)>, restart: bool) {
    let machine = Machine::new();
    let mut plane = machine.plane();
    let base = intent("bakery");
    for (index, stage_of_life) in LIFE.iter().enumerate() {
        let context = format!("{fault:?}, restart {restart}, step {index} to {stage_of_life:?}");
        if let Some((call, kind)) = fault {
            machine.world.clear_faults();
            machine.world.add_fault(Fault::once(call, kind));
        }
        let wanted = stage(&base, index);
        plane.tenants.accept(wanted.clone()).unwrap();
        if restart {
            // Killed at whatever line it is when the fault comes; a new one starts from the disk.
            let _ = reconcile(Arc::clone(&plane), base.uid).await;
            plane = machine.plane();
        }
        let outcome = settle(&plane, base.uid).await;
        let seen = plane.tenants.fetch(base.uid).unwrap().observed.message;
        assert_eq!(outcome, Outcome::Done, "{context}: {seen:?}");
        // Without its cache a site is served; the queue looks again.
        if fault.is_some_and(|(call, _)| call == "cache.ensure_user") {
            assert_eq!(settle(&plane, base.uid).await, Outcome::Done, "{context}");
        }
        check(&machine, &plane, base.uid, &wanted, &context).await;
        assert_eq!(unexplained(&plane).await, [""; 0], "{context}");
    }
    plane.tenants.forget(base.uid).unwrap();
    assert!(plane.tenants.list().is_empty());
    assert_eq!(unexplained(&plane).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_site_lives_from_creation_to_erasure() {
    live(None, false).await;
}

#[tokio::test(start_paused = true)]
async fn every_call_that_fails_once_is_made_good() {
    for call in CALLS {
        for restart in [false, true] {
            for kind in
                [FaultKind::Fail, FaultKind::LoseAnswer, FaultKind::Interrupt, FaultKind::Hang]
            {
                live(Some((*call, kind)), restart).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_step_twice_is_the_same_as_once() {
    let machine = Machine::new();
    let plane = machine.plane();
    let base = intent("bakery");
    for (index, stage_name) in LIFE.iter().enumerate() {
        let wanted = stage(&base, index);
        plane.tenants.accept(wanted.clone()).unwrap();
        assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
        plane.tenants.reports_take(false);
        for _ in 0..3 {
            assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
            check(&machine, &plane, base.uid, &wanted, &format!("{stage_name:?}")).await;
            // Looking again is no news.
            assert_eq!(plane.tenants.reports_take(false), []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_nobody_has_fails_and_says_so() {
    let machine = Machine::new();
    let plane = machine.plane();
    let mut wish = intent("bakery");
    wish.spec.wordpress.version = Some("9.9".to_owned());
    plane.tenants.accept(wish.clone()).unwrap();
    assert_eq!(settle(&plane, wish.uid).await, Outcome::After(FAILED_AGAIN));
    let observed = plane.tenants.fetch(wish.uid).unwrap().observed;
    assert_eq!(observed.phase, ObservedPhase::Failed);
    assert_eq!(observed.message.as_deref(), Some("no WordPress 9.9"));
}

#[tokio::test(start_paused = true)]
async fn a_site_is_made_while_redis_is_away() {
    let machine = Machine::new();
    let plane = machine.plane();
    let wish = intent("bakery");
    machine.world.add_fault(Fault::always("cache.ensure_user", FaultKind::Fail));
    plane.tenants.accept(wish.clone()).unwrap();
    assert_eq!(settle(&plane, wish.uid).await, Outcome::Done);
    assert!(plane.tenants.fetch(wish.uid).unwrap().converged());
    machine.world.clear_faults();
    assert_eq!(settle(&plane, wish.uid).await, Outcome::Done);
    assert_eq!(unexplained(&plane).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_freed_serves_the_next_one_only() {
    let machine = Machine::new();
    let plane = machine.plane();
    let (one, two) = (intent("one"), intent("two"));
    plane.tenants.accept(one.clone()).unwrap();
    settle(&plane, one.uid).await;
    let slot = plane.tenants.fetch(one.uid).unwrap().entry.slot;
    machine.world.start_workers(Slot::new(slot.unwrap()).unwrap(), 3);
    plane.tenants.accept(ask(&one, 2, DesiredState::Deleted)).unwrap();
    settle(&plane, one.uid).await;
    assert!(machine.world.drivers().php.inventory().await.unwrap().is_empty());
    plane.tenants.accept(two.clone()).unwrap();
    settle(&plane, two.uid).await;
    assert_eq!(plane.tenants.fetch(two.uid).unwrap().entry.slot, slot);
    let config = machine.world.site_config(Slot::new(slot.unwrap()).unwrap()).unwrap();
    assert_eq!(config.uid, two.uid);
    // The first one comes back to another slot.
    plane.tenants.accept(ask(&one, 3, DesiredState::Active)).unwrap();
    settle(&plane, one.uid).await;
    let tenant = plane.tenants.fetch(one.uid).unwrap();
    assert!(tenant.converged());
    assert_ne!(plane.tenants.fetch(one.uid).unwrap().entry.slot, slot);
}

/// What its making may have come to: nothing at all, cut off at a call, a version nobody has.
#[tokio::test(start_paused = true)]
async fn a_site_that_was_never_whole_can_be_deleted_brought_back_and_erased() {
    for cut_off in [None, Some(None)].into_iter().chain(CALLS.iter().map(|call| Some(Some(*call))))
    {
        let machine = Machine::new();
        let plane = machine.plane();
        let base = ask_tier(&intent("bakery"), 1, Tier::Gold);
        if let Some(call) = cut_off {
            let mut wish = base.clone();
            if call.is_none() {
                wish.spec.wordpress.version = Some("9.9".to_owned());
            }
            if let Some(call) = call {
                machine.world.add_fault(Fault::once(call, FaultKind::Interrupt));
            }
            plane.tenants.accept(wish).unwrap();
            let _ = reconcile(Arc::clone(&plane), base.uid).await;
            machine.world.clear_faults();
        }
        let rest = [
            DesiredState::Deleted,
            DesiredState::Deleted,
            DesiredState::Active,
            DesiredState::Deleted,
            DesiredState::Erased,
        ];
        for (index, desired) in rest.into_iter().enumerate() {
            let context = format!("{cut_off:?}, step {index} to {desired:?}");
            let wanted = ask(&base, index as u64 + 2, desired);
            plane.tenants.accept(wanted.clone()).unwrap();
            let outcome = settle(&plane, base.uid).await;
            let seen = plane.tenants.fetch(base.uid).unwrap().observed.message;
            assert_eq!(outcome, Outcome::Done, "{context}: {seen:?}");
            check(&machine, &plane, base.uid, &wanted, &context).await;
            assert_eq!(unexplained(&plane).await, [""; 0], "{context}");
        }
    }
}
