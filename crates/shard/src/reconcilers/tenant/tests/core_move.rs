//! Moves between cores: every call fails, hangs and is cut off once, the control plane is killed
//! there, and the site ends whole on the new version or on the old one.

use aipress_api::internal::SiteState;
use aipress_drivers::ExecExit;
use aipress_drivers::ExecOutput;

use super::*;
use crate::fixtures::page;

/// Calls that a move makes of the world.
const MOVE_CALLS: &[&str] = &[
    "php.recycle_slot",
    "database.snapshot",
    "files.write_site_json",
    "exec.run",
    "database.restore_snapshot",
    "database.drop_snapshot",
];

/// What becomes of a site on the new core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    UpgradeFails,
    PageFails,
}

fn wants(base: &TenantIntent, generation: u64, version: &str) -> TenantIntent {
    let mut intent = ask(base, generation, DesiredState::Active);
    intent.spec.wordpress.version = Some(version.to_owned());
    intent
}

/// A machine with a site on 6.8 whose fate on 7.1 is this. Its PHP writes rows on 7.1.
async fn site_on_6_8(fate: Fate) -> (Machine, Arc<Plane>, TenantIntent) {
    let machine = Machine::new();
    let base = intent("bakery");
    let world = machine.world.clone();
    *machine.pages.0.lock().unwrap() = Some(Box::new(move |site, _| {
        if !site.core_dir.ends_with("7.1") {
            return page(200);
        }
        world.set_database_version(site.uid, 71);
        let status = if fate == Fate::PageFails { 500 } else { 200 };
        let stderr = "PHP Fatal error:  Uncaught Error: bread() is gone".to_owned();
        crate::smoke::Visit { stderr, ..page(status) }
    }));
    machine.world.answer_commands(move |call| {
        let is_upgrade = call.args[..2] == ["core", "update-db"];
        let fails = is_upgrade && fate == Fate::UpgradeFails;
        let err = if fails { b"Error: the upgrade ended early\n".to_vec() } else { Vec::new() };
        ExecOutput { exit: ExecExit::Code(i32::from(fails)), out: Vec::new(), err }
    });
    let plane = machine.plane();
    plane.tenants.accept(wants(&base, 1, "6.8")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    (machine, plane, base)
}

fn is_served(plane: &Plane) -> bool {
    sites::table(plane).iter().all(|site| site.state == SiteState::Serving)
}

async fn check_end(machine: &Machine, plane: &Plane, uid: TenantUid, fate: Fate, context: &str) {
    let tenant = plane.tenants.fetch(uid).unwrap();
    let entry = &tenant.entry;
    let (version, rows) = if fate == Fate::Works { ("7.1", 71) } else { ("6.8", 0) };
    assert_eq!(entry.core_version.as_deref(), Some(version), "{context}");
    assert_eq!(entry.moving, None, "{context}");
    assert_eq!(machine.world.database_version(uid), Some(rows), "{context}");
    let slot = entry.slot.and_then(Slot::new).unwrap();
    let config = machine.world.site_config(slot).unwrap();
    assert!(config.core_dir.ends_with(version), "{context}: {config:?}");
    assert!(is_served(plane), "{context}");
    let items = inventory::take(plane).await.unwrap().items;
    assert!(!items.iter().any(|item| item.name.starts_with("aipress_snap")), "{context}");
    assert_eq!(unexplained(plane).await, [""; 0], "{context}");
    let observed = &tenant.observed;
    assert_eq!(observed.wordpress_version.as_deref(), Some(version), "{context}");
    match fate {
        Fate::Works => assert!(tenant.converged(), "{context}: {observed:?}"),
        Fate::UpgradeFails | Fate::PageFails => {
            assert_eq!(observed.phase, ObservedPhase::Failed, "{context}");
            let message = observed.message.as_deref().unwrap();
            assert!(message.contains("WordPress 7.1"), "{message}");
            assert!(message.contains("back on 6.8"), "{message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_ends_whole_whatever_fails_once_and_wherever_it_is_killed() {
    let kinds = [FaultKind::Fail, FaultKind::LoseAnswer, FaultKind::Hang];
    for fate in [Fate::Works, Fate::UpgradeFails, Fate::PageFails] {
        for call in MOVE_CALLS {
            for kind in kinds {
                for (nth, restart) in [(1, false), (1, true), (2, false), (2, true)] {
                    let context = format!("{fate:?} {call} {kind:?} {nth} restart {restart}");
                    let (machine, mut plane, base) = site_on_6_8(fate).await;
                    machine.world.add_fault(Fault { operation: call, calls: nth..=nth, kind });
                    plane.tenants.accept(wants(&base, 2, "7.1")).unwrap();
                    if restart {
                        let _ = reconcile(Arc::clone(&plane), base.uid).await;
                        plane = machine.plane();
                    }
                    settle(&plane, base.uid).await;
                    check_end(&machine, &plane, base.uid, fate, &context).await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_that_failed_is_not_tried_again_until_another_version_is_asked_for() {
    let (machine, plane, base) = site_on_6_8(Fate::PageFails).await;
    plane.tenants.accept(wants(&base, 2, "7.1")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::After(FAILED_AGAIN));
    let message = plane.tenants.fetch(base.uid).unwrap().observed.message.unwrap();
    assert_eq!(
        message,
        "WordPress 7.1: / answered 500: PHP Fatal error:  Uncaught Error: bread() is gone; the \
         site is back on 6.8"
    );
    let copies = machine.world.calls("database.snapshot");
    settle(&plane, base.uid).await;
    plane.tenants.accept(wants(&base, 3, "7.1")).unwrap();
    settle(&plane, base.uid).await;
    assert_eq!(machine.world.calls("database.snapshot"), copies);
    check_end(&machine, &plane, base.uid, Fate::PageFails, "asked for the same again").await;
    plane.tenants.accept(wants(&base, 4, "6.8")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    *machine.pages.0.lock().unwrap() = None;
    plane.tenants.accept(wants(&base, 5, "7.1")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    assert_eq!(machine.world.calls("database.snapshot"), copies + 1);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_was_broken_before_is_not_blamed_on_the_move() {
    let (machine, plane, base) = site_on_6_8(Fate::Works).await;
    *machine.pages.0.lock().unwrap() = Some(Box::new(|_, _| page(500)));
    plane.tenants.accept(wants(&base, 2, "7.1")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    let entry = plane.tenants.fetch(base.uid).unwrap().entry;
    assert_eq!(entry.core_version.as_deref(), Some("7.1"));
}

#[tokio::test(start_paused = true)]
async fn the_way_to_an_older_database_is_refused_before_anything_is_touched() {
    let (machine, plane, base) = site_on_6_8(Fate::Works).await;
    plane.tenants.accept(wants(&base, 2, "7.1")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    let copies = machine.world.calls("database.snapshot");
    plane.tenants.accept(wants(&base, 3, "6.8")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::After(FAILED_AGAIN));
    let tenant = plane.tenants.fetch(base.uid).unwrap();
    let message = tenant.observed.message.unwrap();
    assert!(message.contains("can't go back from 7.1 to 6.8"), "{message}");
    assert_eq!(tenant.entry.core_version.as_deref(), Some("7.1"));
    assert_eq!(machine.world.calls("database.snapshot"), copies);
    assert!(is_served(&plane));
}

#[tokio::test(start_paused = true)]
async fn one_that_needs_no_other_database_goes_back_too() {
    let (_machine, plane, base) = site_on_6_8(Fate::Works).await;
    plane.tenants.accept(wants(&base, 2, "7.0")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    plane.tenants.accept(wants(&base, 3, "6.8")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    let entry = plane.tenants.fetch(base.uid).unwrap().entry;
    assert_eq!(entry.core_version.as_deref(), Some("6.8"));
}

#[tokio::test(start_paused = true)]
async fn visitors_are_kept_away_while_it_moves_and_a_suspended_site_waits() {
    let (machine, plane, base) = site_on_6_8(Fate::Works).await;
    machine.world.add_fault(Fault::always("exec.run", FaultKind::Fail));
    plane.tenants.accept(wants(&base, 2, "7.1")).unwrap();
    assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry);
    assert!(!is_served(&plane));
    machine.world.clear_faults();
    let suspended = TenantIntent { desired: DesiredState::Suspended, ..wants(&base, 3, "7.1") };
    plane.tenants.accept(suspended).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    plane.tenants.accept(wants(&base, 4, "7.1")).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    check_end(&machine, &plane, base.uid, Fate::Works, "resumed").await;
}
