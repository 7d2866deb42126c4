//! A site that goes over to other secrets is never without its database and its cache.

use super::*;
use crate::journal::Rotation;
use aipress_types::TenantSecrets;

/// Calls that a site makes which goes over to other secrets and is served all the while.
const GOING_OVER: &[&str] = &[
    "database.set_passwords",
    "cache.ensure_user",
    "database.ensure_site",
    "files.write_site_json",
    "php.processes",
    "php.retire",
];

/// Asks for the `number`-th secrets.
fn rotate(base: &TenantIntent, number: u32) -> TenantIntent {
    TenantIntent { secrets: secrets(number), ..ask(base, u64::from(number), DesiredState::Active) }
}

/// A machine with a site that is watched from now on, and its slot.
async fn watched(base: &TenantIntent) -> (Machine, Arc<Plane>, Slot) {
    let machine = Machine::new();
    let plane = machine.plane();
    plane.tenants.accept(base.clone()).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    let slot = plane.tenants.fetch(base.uid).unwrap().entry.slot.and_then(Slot::new).unwrap();
    machine.world.watch(slot);
    (machine, plane, slot)
}

fn rotation(plane: &Plane, uid: TenantUid) -> Option<Rotation> {
    plane.tenants.fetch(uid).unwrap().entry.rotation.clone()
}

/// Whatever call fails, hangs, is cut off or loses its answer, and whether or not the control plane
/// is killed there: after each call site and workers at their requests reach all they need.
#[tokio::test(start_paused = true)]
async fn the_site_reaches_database_and_cache_after_every_call() {
    let kinds = [FaultKind::Fail, FaultKind::LoseAnswer, FaultKind::Interrupt, FaultKind::Hang];
    let faults = GOING_OVER.iter().flat_map(|call| kinds.map(|kind| Some((*call, kind))));
    for fault in [None].into_iter().chain(faults) {
        for restart in [false, true] {
            let context = format!("{fault:?}, restart {restart}");
            let base = intent("bakery");
            let (machine, mut plane, slot) = watched(&base).await;
            machine.world.set_busy(slot, 2);
            if let Some((call, kind)) = fault {
                machine.world.add_fault(Fault::once(call, kind));
            }
            let wanted = rotate(&base, 2);
            plane.tenants.accept(wanted.clone()).unwrap();
            let _ = reconcile(Arc::clone(&plane), base.uid).await;
            if restart {
                plane = machine.plane();
            }
            // Two workers are at requests that they began with the old ones.
            assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry, "{context}");
            assert_eq!(machine.world.accepts(base.uid, &secrets(1)), (true, true), "{context}");
            let message = plane.tenants.fetch(base.uid).unwrap().observed.message.unwrap();
            assert!(message.contains("old passwords"), "{context}: {message}");
            machine.world.set_busy(slot, 0);
            assert_eq!(settle(&plane, base.uid).await, Outcome::Done, "{context}");
            check(&machine, &plane, base.uid, &wanted, &context).await;
            assert_eq!(machine.world.outages(), [""; 0], "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn newer_secrets_wait_until_the_former_ones_are_gone() {
    let base = intent("bakery");
    let (machine, plane, slot) = watched(&base).await;
    machine.world.set_busy(slot, 1);
    plane.tenants.accept(rotate(&base, 2)).unwrap();
    assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry);
    // The worker that is at work began with the first; the third may not push them out.
    plane.tenants.accept(rotate(&base, 3)).unwrap();
    assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry);
    let Rotation { used, former } = rotation(&plane, base.uid).unwrap();
    assert_eq!((used, former), (secrets(2), Some(secrets(1))));
    machine.world.set_busy(slot, 0);
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    check(&machine, &plane, base.uid, &rotate(&base, 3), "third").await;
    assert_eq!(machine.world.outages(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_before_it_began_changes_nothing() {
    let base = intent("bakery");
    let (machine, plane, _) = watched(&base).await;
    plane.tenants.accept(rotate(&base, 2)).unwrap();
    let back = TenantIntent { secrets: secrets(1), ..rotate(&base, 3) };
    plane.tenants.accept(back.clone()).unwrap();
    assert_eq!(rotation(&plane, base.uid), None);
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    check(&machine, &plane, base.uid, &back, "back").await;
    assert_eq!(machine.world.outages(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_ends_keeps_the_old_passwords_for_as_long_as_a_request_may_take() {
    let base = intent("bakery");
    let (machine, plane, slot) = watched(&base).await;
    machine.world.set_busy(slot, 1);
    let wanted = rotate(&base, 2);
    plane.tenants.accept(wanted.clone()).unwrap();
    let begun = tokio::time::Instant::now();
    while reconcile(Arc::clone(&plane), base.uid).await == Outcome::Retry {
        assert_eq!(machine.world.accepts(base.uid, &secrets(1)), (true, true));
        assert!(begun.elapsed() < Duration::from_secs(400), "it waits for ever");
    }
    assert!(begun.elapsed() >= Duration::from_secs(310));
    check(&machine, &plane, base.uid, &wanted, "after all").await;
}

/// New salts sign people out, but nobody waits for them, and no worker is replaced.
#[tokio::test(start_paused = true)]
async fn salts_alone_wait_for_nobody() {
    let base = intent("bakery");
    let (machine, plane, slot) = watched(&base).await;
    machine.world.set_busy(slot, 1);
    let mut wanted = rotate(&base, 2);
    wanted.secrets = TenantSecrets { salts: secrets(2).salts, ..secrets(1) };
    plane.tenants.accept(wanted.clone()).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    assert_eq!(machine.world.site_config(slot).unwrap().salts, secrets(2).salts);
    assert_eq!(machine.world.calls("php.retire"), 0);
    assert_eq!(machine.world.outages(), [""; 0]);
}

/// With Redis away the site keeps what it has: it would be without its cache else.
#[tokio::test(start_paused = true)]
async fn it_does_not_begin_while_redis_is_away() {
    let base = intent("bakery");
    let (machine, plane, slot) = watched(&base).await;
    machine.world.add_fault(Fault::always("cache.ensure_user", FaultKind::Fail));
    let wanted = rotate(&base, 2);
    plane.tenants.accept(wanted.clone()).unwrap();
    assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry);
    let config = machine.world.site_config(slot).unwrap();
    assert_eq!(config.db.password, secrets(1).db_password);
    machine.world.clear_faults();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    check(&machine, &plane, base.uid, &wanted, "with redis").await;
    assert_eq!(machine.world.outages(), [""; 0]);
}
