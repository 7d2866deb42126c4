//! Plugins and themes on the simulated machine: what is asked for comes, what breaks the site is taken
//! back, and whoever is killed at any line leaves the old or the new version.

use std::sync::Arc;
use std::time::Duration;

use aipress_drivers::sim::Fault;
use aipress_drivers::sim::FaultKind;
use aipress_drivers::sim::SimPackage;
use aipress_flow::Outcome;
use aipress_types::ObservedPhase;
use aipress_types::PackageKind;
use aipress_types::PackageSpec;
use aipress_types::TenantIntent;
use aipress_types::TenantObserved;
use aipress_types::TenantUid;
use aipress_types::intent::PackageRef;

use crate::fixtures::intent;
use crate::fixtures::page;
use crate::plane::Plane;
use crate::reconcilers::tenant::FAILED_AGAIN;
use crate::reconcilers::tenant::reconcile;
use crate::reconcilers::tenant::tests::Machine;
use crate::reconcilers::tenant::tests::settle;

const PLUGIN: PackageKind = PackageKind::Plugin;
const THEME: PackageKind = PackageKind::Theme;

/// A site that has a plugin `bread` of version 6.6.6 switched on answers this status.
fn breaks_with(machine: &Machine, status: u16) {
    let world = machine.world.clone();
    *machine.pages.0.lock().unwrap() = Some(Box::new(move |site, _| {
        let bread = world.package(site.uid, PLUGIN, "bread");
        let broken = bread.is_some_and(|bread| bread.version == "6.6.6" && bread.active);
        let mut visit = page(if broken { status } else { 200 });
        if broken {
            visit.body = bytes::Bytes::new();
        }
        visit
    }));
}

fn spec(name: &str, version: Option<&str>) -> PackageSpec {
    PackageSpec {
        name: name.to_owned(),
        version: version.map(str::to_owned),
        source: None,
        active: None,
    }
}

/// The same site, asked for other plugins.
fn next(before: &TenantIntent, plugins: Vec<PackageSpec>) -> TenantIntent {
    let mut intent = TenantIntent { generation: before.generation + 1, ..before.clone() };
    intent.spec.plugins = plugins;
    intent
}

async fn ask(plane: &Arc<Plane>, intent: &TenantIntent) -> (Outcome, TenantObserved) {
    plane.tenants.accept(intent.clone()).unwrap();
    let outcome = settle(plane, intent.uid).await;
    (outcome, plane.tenants.fetch(intent.uid).unwrap().observed)
}

fn has(machine: &Machine, uid: TenantUid, name: &str) -> Option<(String, bool)> {
    let found = machine.world.package(uid, PLUGIN, name);
    found.map(|SimPackage { version, active }| (version, active))
}

fn on(version: &str) -> Option<(String, bool)> {
    Some((version.to_owned(), true))
}

#[tokio::test(start_paused = true)]
async fn plugins_come_change_and_go_as_the_spec_says() {
    let machine = Machine::new();
    let plane = machine.plane();
    let first = next(&intent("bakery"), vec![spec("bread", None), spec("salt", Some("2"))]);
    let uid = first.uid;
    let (outcome, observed) = ask(&plane, &first).await;
    assert_eq!(outcome, Outcome::Done, "{observed:?}");
    assert_eq!((has(&machine, uid, "bread"), has(&machine, uid, "salt")), (on("1.0"), on("2")));
    // Up, down, off.
    for version in ["3", "1.5"] {
        let wish = next(&first, vec![spec("bread", None), spec("salt", Some(version))]);
        let wish = TenantIntent { generation: first.generation + 10, ..wish };
        plane.tenants.accept(wish.clone()).unwrap();
        assert_eq!(settle(&plane, uid).await, Outcome::Done);
        assert_eq!(has(&machine, uid, "salt"), on(version));
    }
    let off = PackageSpec { active: Some(false), ..spec("salt", Some("1.5")) };
    let wish = TenantIntent { generation: 20, ..next(&first, vec![off]) };
    assert_eq!(ask(&plane, &wish).await.0, Outcome::Done);
    assert_eq!(has(&machine, uid, "salt"), Some(("1.5".to_owned(), false)));
    assert_eq!(has(&machine, uid, "bread"), None, "the spec had installed it");
    assert_eq!(
        ask(&plane, &TenantIntent { generation: 21, ..next(&first, vec![]) }).await.0,
        Outcome::Done
    );
    assert_eq!(has(&machine, uid, "salt"), None);
    assert_eq!(machine.world.beside(), 0);
    assert_eq!(plane.tenants.fetch(uid).unwrap().entry.packages, Default::default());
}

#[tokio::test(start_paused = true)]
async fn a_persons_own_plugins_are_left_alone_and_a_pinned_version_is_put_back() {
    let machine = Machine::new();
    let plane = machine.plane();
    let wish = next(&intent("bakery"), vec![spec("bread", None), spec("salt", Some("2"))]);
    let uid = wish.uid;
    ask(&plane, &TenantIntent { generation: 1, ..next(&wish, vec![]) }).await;
    machine.world.install_by_hand(uid, PLUGIN, "bread", "0.5");
    machine.world.install_by_hand(uid, PLUGIN, "own", "1");
    assert_eq!(ask(&plane, &wish).await.0, Outcome::Done);
    assert_eq!(has(&machine, uid, "bread"), on("0.5"), "any version will do");
    // Somebody changes both in wp-admin.
    machine.world.install_by_hand(uid, PLUGIN, "bread", "0.7");
    machine.world.install_by_hand(uid, PLUGIN, "salt", "9");
    assert_eq!(settle(&plane, uid).await, Outcome::Done);
    assert_eq!(has(&machine, uid, "bread"), on("0.7"));
    assert_eq!(has(&machine, uid, "salt"), on("2"));
    let none = TenantIntent { generation: 9, ..next(&wish, vec![]) };
    assert_eq!(ask(&plane, &none).await.0, Outcome::Done);
    assert_eq!(has(&machine, uid, "salt"), None);
    assert!(has(&machine, uid, "bread").is_some() && has(&machine, uid, "own").is_some());
    // Unless somebody asks for it.
    let absent = vec![PackageRef { kind: PLUGIN, name: "own".to_owned() }];
    assert_eq!(
        ask(&plane, &TenantIntent { generation: 10, absent, ..none }).await.0,
        Outcome::Done
    );
    assert_eq!(has(&machine, uid, "own"), None);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_breaks_the_site_is_taken_back_told_and_not_tried_again() {
    for status in [500, 200] {
        let machine = Machine::new();
        breaks_with(&machine, status);
        let plane = machine.plane();
        let good = next(&intent("bakery"), vec![spec("bread", Some("1.0")), spec("salt", None)]);
        let uid = good.uid;
        assert_eq!(ask(&plane, &good).await.0, Outcome::Done);
        let bad = next(&good, vec![spec("bread", Some("6.6.6")), spec("salt", Some("2"))]);
        let (outcome, observed) = ask(&plane, &bad).await;
        assert_eq!(outcome, Outcome::After(FAILED_AGAIN));
        assert_eq!(has(&machine, uid, "bread"), on("1.0"));
        assert_eq!(
            has(&machine, uid, "salt"),
            on("2"),
            "one that is bad keeps no other from coming"
        );
        assert_eq!((observed.phase, observed.serving), (ObservedPhase::Failed, true));
        let message = observed.message.unwrap();
        assert!(message.contains("`bread` from 1.0 to 6.6.6 made the site fail"), "{message}");
        assert!(message.contains("taken back, the site is as it was before"), "{message}");
        assert_eq!(observed.rolled_back.len(), 1);
        let staged = machine.world.calls("packages.stage");
        for _ in 0..3 {
            assert_eq!(settle(&plane, uid).await, Outcome::After(FAILED_AGAIN));
        }
        // Another field of the spec is no reason to try it again, another wish for plugins is.
        let mut tier = TenantIntent { generation: bad.generation + 1, ..bad.clone() };
        tier.spec.tier = aipress_types::Tier::Silver;
        assert_eq!(ask(&plane, &tier).await.0, Outcome::After(FAILED_AGAIN));
        assert_eq!(machine.world.calls("packages.stage"), staged);
        let mended = next(&tier, vec![spec("bread", Some("7")), spec("salt", None)]);
        let (outcome, observed) = ask(&plane, &mended).await;
        assert_eq!((outcome, observed.rolled_back), (Outcome::Done, vec![]));
        assert_eq!(has(&machine, uid, "bread"), on("7"));
        assert_eq!(machine.world.beside(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_plugin_that_breaks_the_site_leaves_nothing() {
    let machine = Machine::new();
    breaks_with(&machine, 500);
    let plane = machine.plane();
    let wish = next(&intent("bakery"), vec![spec("bread", Some("6.6.6"))]);
    let (outcome, observed) = ask(&plane, &wish).await;
    assert_eq!(outcome, Outcome::After(FAILED_AGAIN));
    assert!(observed.message.unwrap().contains("the installation of plugin `bread` 6.6.6"));
    assert_eq!(has(&machine, wish.uid, "bread"), None);
    // Nor does one that a person switched off and the spec switches on.
    machine.world.install_by_hand(wish.uid, PLUGIN, "bread", "6.6.6");
    let (_, observed) = ask(&plane, &next(&wish, vec![spec("bread", None)])).await;
    assert!(observed.message.unwrap().contains("switching on plugin `bread`"));
    assert_eq!(has(&machine, wish.uid, "bread"), Some(("6.6.6".to_owned(), false)));
    assert_eq!(plane.tenants.fetch(wish.uid).unwrap().entry.packages.managed, []);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_was_broken_before_is_not_blamed_on_a_plugin() {
    let machine = Machine::new();
    *machine.pages.0.lock().unwrap() = Some(Box::new(|_, _| page(500)));
    let plane = machine.plane();
    let wish = next(&intent("bakery"), vec![spec("bread", Some("2"))]);
    let (outcome, observed) = ask(&plane, &wish).await;
    assert_eq!(outcome, Outcome::Done, "{observed:?}");
    assert_eq!(has(&machine, wish.uid, "bread"), on("2"));
    // Nor is it silently taken for good.
    let note = observed.steps.last().unwrap().message.clone().unwrap();
    assert!(note.contains("nobody can say") && note.contains("/ answered 500"), "{note}");
}

#[tokio::test(start_paused = true)]
async fn what_breaks_only_wp_admin_is_taken_back_too() {
    let machine = Machine::new();
    breaks_with(&machine, 500);
    let broken = machine.pages.0.lock().unwrap().take().unwrap();
    *machine.pages.0.lock().unwrap() =
        Some(Box::new(
            move |site, path| {
                if path.starts_with("/wp-admin/") { broken(site, path) } else { page(200) }
            },
        ));
    let plane = machine.plane();
    let good = next(&intent("bakery"), vec![spec("bread", Some("1.0"))]);
    assert_eq!(ask(&plane, &good).await.0, Outcome::Done);
    let bad = next(&good, vec![spec("bread", Some("6.6.6"))]);
    let (outcome, observed) = ask(&plane, &bad).await;
    assert_eq!(outcome, Outcome::After(FAILED_AGAIN));
    assert!(observed.message.unwrap().contains("(/wp-admin/ answered 500"));
    assert_eq!(has(&machine, good.uid, "bread"), on("1.0"));
}

/// A machine that can't ask the site says nothing of it: neither that it was broken before, nor that
/// it is well now.
#[tokio::test(start_paused = true)]
async fn a_change_waits_for_a_look_that_tells_something() {
    let unasked = || crate::smoke::Visit {
        unasked: Some("connect to php-fpm".to_owned()),
        ..crate::smoke::Visit::default()
    };
    for fails_when_changed in [false, true] {
        let machine = Machine::new();
        let plane = machine.plane();
        let good = next(&intent("bakery"), vec![spec("bread", Some("1.0"))]);
        let uid = good.uid;
        assert_eq!(ask(&plane, &good).await.0, Outcome::Done);
        let world = machine.world.clone();
        *machine.pages.0.lock().unwrap() = Some(Box::new(move |site, _| {
            let version = world.package(site.uid, PLUGIN, "bread").unwrap().version;
            if (version == "6.6.6") == fails_when_changed { unasked() } else { page(200) }
        }));
        let bad = next(&good, vec![spec("bread", Some("6.6.6"))]);
        plane.tenants.accept(bad.clone()).unwrap();
        assert_eq!(reconcile(Arc::clone(&plane), uid).await, Outcome::Retry);
        let message = plane.tenants.fetch(uid).unwrap().observed.message.unwrap();
        assert!(message.contains("can't be looked at: connect to php-fpm"), "{message}");
        if !fails_when_changed {
            assert_eq!(has(&machine, uid, "bread"), on("1.0"), "nothing was changed");
        }
        // The machine is well again, and the look finds what the plugin does.
        breaks_with(&machine, 500);
        assert_eq!(settle(&plane, uid).await, Outcome::After(FAILED_AGAIN));
        assert_eq!(has(&machine, uid, "bread"), on("1.0"));
        assert_eq!(plane.tenants.fetch(uid).unwrap().observed.rolled_back.len(), 1);
    }
}

/// WordPress answers 500 when its database is away, which is no fault of the site's.
#[tokio::test(start_paused = true)]
async fn a_site_is_not_called_broken_while_a_server_is_down() {
    let machine = Machine::new();
    let plane = machine.plane();
    let good = next(&intent("bakery"), vec![spec("bread", Some("1.0"))]);
    assert_eq!(ask(&plane, &good).await.0, Outcome::Done);
    breaks_with(&machine, 500);
    let broken = machine.pages.0.lock().unwrap().take().unwrap();
    let asked = std::sync::atomic::AtomicU32::new(0);
    *machine.pages.0.lock().unwrap() = Some(Box::new(move |site, path| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3;
        if first { page(500) } else { broken(site, path) }
    }));
    for operation in ["database.health", "php.health"] {
        machine.world.add_fault(Fault { operation, calls: 1..=3, kind: FaultKind::Fail });
    }
    let bad = next(&good, vec![spec("bread", Some("6.6.6"))]);
    let (outcome, observed) = ask(&plane, &bad).await;
    assert_eq!(outcome, Outcome::After(FAILED_AGAIN), "{:?}", observed.message);
    assert_eq!(has(&machine, good.uid, "bread"), on("1.0"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_fails_in_words_and_the_rest_comes() {
    let machine = Machine::new();
    let plane = machine.plane();
    let wanted = vec![spec("missing", None), spec("damaged", None), spec("bread", None)];
    let wish = next(&intent("bakery"), wanted);
    let (outcome, observed) = ask(&plane, &wish).await;
    assert_eq!(outcome, Outcome::After(FAILED_AGAIN));
    let message = observed.message.unwrap();
    assert!(message.contains("`missing` can't be installed: nobody has it"), "{message}");
    assert!(message.contains("`damaged`") && message.contains("no whole zip"), "{message}");
    assert!(observed.serving);
    assert_eq!(has(&machine, wish.uid, "bread"), on("1.0"));
}

#[tokio::test(start_paused = true)]
async fn one_theme_is_in_use_and_a_plugin_that_fights_gets_a_word() {
    let machine = Machine::new();
    let plane = machine.plane();
    let mut wish = next(&intent("bakery"), vec![spec("wordfence", None)]);
    let theme = |name: &str, active| PackageSpec { active, ..spec(name, None) };
    wish.spec.themes = vec![theme("crust", Some(true)), theme("crumb", None)];
    let (outcome, observed) = ask(&plane, &wish).await;
    assert_eq!(outcome, Outcome::Done, "{observed:?}");
    let active = |name| machine.world.package(wish.uid, THEME, name).map(|theme| theme.active);
    assert_eq!((active("crust"), active("crumb")), (Some(true), Some(false)));
    let note = observed.steps.last().unwrap().message.clone().unwrap();
    assert!(note.contains("`wordfence`"), "{note}");
    // The one in use is not taken away under the site.
    let mut less = next(&wish, vec![]);
    less.spec.themes = vec![theme("crumb", None)];
    let (_, observed) = ask(&plane, &less).await;
    assert!(observed.message.unwrap().contains("switch on another one"));
    let mut other = next(&less, vec![]);
    other.spec.themes = vec![theme("crumb", Some(true))];
    assert_eq!(ask(&plane, &other).await.0, Outcome::Done);
    assert_eq!((active("crust"), active("crumb")), (None, Some(true)));
}

/// A wish that needs every kind of change, on a site that has versions to be changed.
async fn prepared(machine: &Machine) -> (Arc<Plane>, TenantIntent) {
    breaks_with(machine, 500);
    let plane = machine.plane();
    let had = vec![spec("bread", Some("1.0")), spec("salt", Some("1")), spec("old", None)];
    let first = next(&intent("bakery"), had);
    assert_eq!(ask(&plane, &first).await.0, Outcome::Done);
    let off = PackageSpec { active: Some(false), ..spec("salt", Some("1")) };
    (plane, next(&first, vec![spec("bread", Some("2")), off, spec("new", None)]))
}

fn is_whole(machine: &Machine, uid: TenantUid, context: &str) {
    let bread = has(machine, uid, "bread");
    assert!(bread == on("1.0") || bread == on("2"), "{context}: {bread:?}");
    assert_eq!(has(machine, uid, "salt").map(|salt| salt.0).as_deref(), Some("1"), "{context}");
}

fn is_done(machine: &Machine, uid: TenantUid, context: &str) {
    assert_eq!(has(machine, uid, "bread"), on("2"), "{context}");
    assert_eq!(has(machine, uid, "salt"), Some(("1".to_owned(), false)), "{context}");
    assert_eq!(has(machine, uid, "new"), on("1.0"), "{context}");
    assert_eq!(has(machine, uid, "old"), None, "{context}");
    assert_eq!(machine.world.beside(), 0, "{context}");
}

#[tokio::test(start_paused = true)]
async fn every_call_that_fails_once_is_made_good() {
    let calls = [
        "packages.stage",
        "packages.installed",
        "packages.swap",
        "packages.clear_beside",
        "exec.run",
        "php.recycle_slot",
    ];
    for call in calls {
        for number in [1, 2, 3, 5, 8] {
            for kind in [FaultKind::Fail, FaultKind::LoseAnswer, FaultKind::Hang] {
                let machine = Machine::new();
                let (plane, wish) = prepared(&machine).await;
                machine.world.add_fault(Fault { operation: call, calls: number..=number, kind });
                let (outcome, observed) = ask(&plane, &wish).await;
                let context = format!("{call} {number} {kind:?}: {:?}", observed.message);
                assert_eq!(outcome, Outcome::Done, "{context}");
                is_done(&machine, wish.uid, &context);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_line_a_site_has_the_old_or_the_new_version() {
    let tick = Duration::from_millis(500);
    let mut ended = false;
    // Every call takes a tick and every wait is of many: killed in each of them.
    for kill_after in (0..200).map(|step| tick * step + tick / 2) {
        let machine = Machine::new();
        let (plane, wish) = prepared(&machine).await;
        machine.world.set_latency(tick);
        plane.tenants.accept(wish.clone()).unwrap();
        let life = reconcile(Arc::clone(&plane), wish.uid);
        ended = tokio::time::timeout(kill_after, life).await.is_ok();
        let context = format!("killed after {kill_after:?}");
        is_whole(&machine, wish.uid, &context);
        machine.world.set_latency(Duration::ZERO);
        let plane = machine.plane();
        let outcome = settle(&plane, wish.uid).await;
        let observed = plane.tenants.fetch(wish.uid).unwrap().observed;
        assert_eq!(outcome, Outcome::Done, "{context}: {:?}", observed.message);
        is_done(&machine, wish.uid, &context);
        if ended {
            break;
        }
    }
    assert!(ended, "the last one was not killed");
}
