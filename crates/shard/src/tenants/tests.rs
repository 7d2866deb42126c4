//! The table of tenants on a real journal.

use super::*;
use crate::fixtures::intent;
use aipress_kit::seal::Sealer;

fn open(dir: &std::path::Path, slots: u32) -> Tenants {
    let journal = Journal::open(dir.to_owned(), Sealer::new(&[3; 32])).unwrap();
    Tenants::load(journal, slots).unwrap()
}

#[test]
fn an_older_generation_or_placement_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tenants = open(dir.path(), 2);
    let mut second = intent("bakery");
    second.generation = 2;
    assert_eq!(tenants.accept(second.clone()).unwrap(), Accepted::New);
    assert_eq!(tenants.accept(second.clone()).unwrap(), Accepted::Same);
    let first = TenantIntent { generation: 1, ..second.clone() };
    assert_eq!(tenants.accept(first.clone()).unwrap(), Accepted::Stale);
    // A newer placement starts its generations where it likes.
    let moved = TenantIntent { placement_epoch: 2, ..first };
    assert_eq!(tenants.accept(moved).unwrap(), Accepted::New);
    assert_eq!(tenants.accept(second).unwrap(), Accepted::Stale);
}

#[test]
fn a_slot_is_kept_over_a_restart_and_no_two_share_one() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two, three) = (intent("one"), intent("two"), intent("three"));
    {
        let tenants = open(dir.path(), 2);
        for new in [&one, &two, &three] {
            tenants.accept(new.clone()).unwrap();
        }
        assert_eq!(tenants.slot_take(one.uid).unwrap(), 1);
        assert_eq!(tenants.slot_take(two.uid).unwrap(), 2);
        assert!(matches!(tenants.slot_take(three.uid), Err(SlotError::Full(2))));
    }
    let tenants = open(dir.path(), 2);
    assert_eq!(tenants.slot_take(two.uid).unwrap(), 2);
    tenants.update(one.uid, |entry| entry.slot = None).unwrap();
    assert_eq!(tenants.slot_take(three.uid).unwrap(), 1);
    // A newer intent keeps the slot.
    tenants.accept(TenantIntent { generation: 2, ..two.clone() }).unwrap();
    assert_eq!(tenants.slot_take(two.uid).unwrap(), 2);
}

#[test]
fn what_was_seen_of_an_older_intent_is_not_reported() {
    let dir = tempfile::tempdir().unwrap();
    let tenants = open(dir.path(), 2);
    let first = intent("bakery");
    tenants.accept(first.clone()).unwrap();
    let mut seen = tenants.fetch(first.uid).unwrap().observed;
    seen.phase = ObservedPhase::Converged;
    tenants.accept(TenantIntent { generation: 2, ..first.clone() }).unwrap();
    tenants.observe(seen.clone());
    assert!(tenants.reports_take(false).is_empty());
    seen.generation = 2;
    tenants.observe(seen.clone());
    let reports = tenants.reports_take(false);
    assert_eq!(reports, [seen]);
    assert!(tenants.reports_take(false).is_empty());
    tenants.reports_return(&reports);
    assert_eq!(tenants.reports_take(false), reports);
}

#[test]
fn only_an_erased_tenant_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let tenants = open(dir.path(), 2);
    let mut tenant = intent("bakery");
    tenants.accept(tenant.clone()).unwrap();
    tenants.forget(tenant.uid).unwrap();
    assert!(tenants.fetch(tenant.uid).is_some());
    tenant.generation = 2;
    tenant.desired = DesiredState::Erased;
    tenants.accept(tenant.clone()).unwrap();
    let mut seen = tenants.fetch(tenant.uid).unwrap().observed;
    seen.phase = ObservedPhase::Converged;
    tenants.observe(seen);
    tenants.forget(tenant.uid).unwrap();
    assert!(tenants.fetch(tenant.uid).is_none());
    assert!(open(dir.path(), 2).list().is_empty());
}
