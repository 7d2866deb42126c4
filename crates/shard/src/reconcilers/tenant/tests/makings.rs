//! Sites that are made from archives: they leave workers to the others, and end when unwanted.

use aipress_types::IntentContent;
use tokio::time::Instant;

use super::*;

fn import(name: &str) -> TenantIntent {
    let content = IntentContent { import: uuid::Uuid::new_v4(), wordpress_version: None };
    TenantIntent { content: Some(content), ..intent(name) }
}

#[tokio::test(start_paused = true)]
async fn those_that_get_no_turn_come_back_and_hold_no_worker() {
    let machine = Machine::new();
    let plane = machine.plane();
    machine.world.add_fault(Fault::always("database.ensure_site_from", FaultKind::Hang));
    let (mut making, mut waiting) = (Vec::new(), Vec::new());
    for name in ["one", "two", "three", "four"] {
        let wanted = import(name);
        plane.tenants.accept(wanted.clone()).unwrap();
        let run = tokio::spawn(reconcile(Arc::clone(&plane), wanted.uid));
        // It runs as far as it goes without the clock.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        if run.is_finished() {
            assert_eq!(run.await.unwrap(), Outcome::Retry, "{name}");
            let observed = plane.tenants.fetch(wanted.uid).unwrap().observed;
            let told = observed.message.unwrap_or_default();
            assert!(told.contains("waits for its turn"), "{told}");
            waiting.push(wanted.uid);
        } else {
            making.push(run);
        }
    }
    assert_eq!((making.len(), waiting.len()), (2, 2));
    let other = intent("bakery");
    plane.tenants.accept(other.clone()).unwrap();
    assert_eq!(settle(&plane, other.uid).await, Outcome::Done);
    for run in making {
        assert_eq!(run.await.unwrap(), Outcome::Retry);
    }
    // Their turns are free again.
    let before = machine.world.calls("database.ensure_site_from");
    reconcile(Arc::clone(&plane), waiting[0]).await;
    assert_eq!(machine.world.calls("database.ensure_site_from"), before + 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_to_be_deleted_is_not_loaded_to_its_end() {
    let machine = Machine::new();
    let plane = machine.plane();
    machine.world.add_fault(Fault::always("database.ensure_site_from", FaultKind::Hang));
    let wanted = import("bakery");
    plane.tenants.accept(wanted.clone()).unwrap();
    let begun = Instant::now();
    let run = tokio::spawn(reconcile(Arc::clone(&plane), wanted.uid));
    while machine.world.calls("database.ensure_site_from") == 0 {
        tokio::task::yield_now().await;
    }
    plane.tenants.accept(ask(&wanted, 2, DesiredState::Deleted)).unwrap();
    assert_eq!(run.await.unwrap(), Outcome::Retry);
    assert!(begun.elapsed().as_secs() < 5, "the load alone takes 30 s");
    assert_eq!(settle(&plane, wanted.uid).await, Outcome::Done);
    assert!(plane.tenants.fetch(wanted.uid).unwrap().converged());
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_is_refused_is_not_loaded_again_until_it_is_asked_for() {
    let machine = Machine::new();
    let plane = machine.plane();
    machine.world.add_fault(Fault::always("database.ensure_site_from", FaultKind::Refuse));
    let wanted = import("bakery");
    plane.tenants.accept(wanted.clone()).unwrap();
    let loads = || machine.world.calls("database.ensure_site_from");
    assert_eq!(settle(&plane, wanted.uid).await, Outcome::After(FAILED_AGAIN));
    assert_eq!(loads(), 1);
    assert_eq!(settle(&plane, wanted.uid).await, Outcome::Done);
    assert_eq!(plane.tenants.fetch(wanted.uid).unwrap().observed.phase, ObservedPhase::Failed);
    assert_eq!(loads(), 1);
    plane.tenants.accept(ask(&wanted, 2, DesiredState::Active)).unwrap();
    assert_eq!(settle(&plane, wanted.uid).await, Outcome::After(FAILED_AGAIN));
    assert_eq!(loads(), 2);
    plane.tenants.accept(ask(&wanted, 3, DesiredState::Deleted)).unwrap();
    assert_eq!(settle(&plane, wanted.uid).await, Outcome::Done);
    assert!(plane.tenants.fetch(wanted.uid).unwrap().converged());
}
