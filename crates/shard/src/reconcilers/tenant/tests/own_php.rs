//! A site with a php-fpm master of its own, and the settings that reach its workers.

use super::*;

/// A machine with a gold site, and the slot that it sits in.
async fn gold() -> (Machine, Arc<Plane>, TenantIntent, Slot) {
    let machine = Machine::new();
    let plane = machine.plane();
    let base = ask_tier(&intent("bakery"), 1, Tier::Gold);
    plane.tenants.accept(base.clone()).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    let slot = plane.tenants.fetch(base.uid).unwrap().entry.slot.and_then(Slot::new).unwrap();
    assert!(meets_own(&plane));
    (machine, plane, base, slot)
}

fn message(plane: &Plane, uid: TenantUid) -> Option<String> {
    plane.tenants.fetch(uid).unwrap().observed.message
}

#[tokio::test(start_paused = true)]
async fn visitors_meet_a_new_master_only_when_it_listens() {
    let machine = Machine::new();
    let plane = machine.plane();
    let base = intent("bakery");
    plane.tenants.accept(base.clone()).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    machine.world.add_fault(Fault::always("php.ensure_master", FaultKind::Fail));
    plane.tenants.accept(ask_tier(&base, 2, Tier::Gold)).unwrap();
    assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry);
    assert!(!meets_own(&plane), "the old one goes on");
    // The tier goes back before the new master ever came: nothing of it is left.
    machine.world.clear_faults();
    machine.world.add_fault(Fault::once("php.ensure_master", FaultKind::LoseAnswer));
    assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry);
    let back = ask_tier(&base, 3, Tier::Bronze);
    plane.tenants.accept(back.clone()).unwrap();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    check(&machine, &plane, base.uid, &back, "back").await;
    assert_eq!(unexplained(&plane).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_old_master_answers_its_last_requests_first() {
    let (machine, plane, base, slot) = gold().await;
    machine.world.set_connections(slot, 1);
    let silver = ask_tier(&base, 2, Tier::Silver);
    plane.tenants.accept(silver.clone()).unwrap();
    for _ in 0..3 {
        assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry);
        assert!(!meets_own(&plane), "nobody new comes");
        assert_eq!(machine.world.drivers().php.masters().await.unwrap(), [slot]);
        assert_eq!(unexplained(&plane).await, [""; 0]);
    }
    assert!(message(&plane, base.uid).unwrap().contains("last requests"));
    machine.world.set_connections(slot, 0);
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    check(&machine, &plane, base.uid, &silver, "silver").await;
}

#[tokio::test(start_paused = true)]
async fn an_old_master_stays_until_the_gateway_sends_nobody_to_it() {
    let (machine, plane, base, slot) = gold().await;
    plane.sites_taken.send_replace(0);
    plane.tenants.accept(ask_tier(&base, 2, Tier::Bronze)).unwrap();
    assert_eq!(reconcile(Arc::clone(&plane), base.uid).await, Outcome::Retry);
    assert_eq!(machine.world.drivers().php.masters().await.unwrap(), [slot]);
    assert!(message(&plane, base.uid).unwrap().contains("gateway"));
    plane.sites_taken.send_replace(u64::MAX);
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    assert!(machine.world.drivers().php.masters().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_master_that_somebody_ended_comes_back() {
    let (machine, plane, base, slot) = gold().await;
    machine.world.kill_master(slot);
    assert!(!unexplained(&plane).await.is_empty());
    assert!(plane.queue.is_empty());
    let seen = health::look(&plane).await;
    assert_eq!(seen.health, ShardHealth::Healthy, "no other site suffers");
    assert!(seen.message.unwrap().contains("tenant bakery"));
    assert!(!plane.queue.is_empty(), "the site is looked at again");
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    assert_eq!(health::look(&plane).await.message, None);
    // After the platform was down nothing runs, and the control plane starts from the disk.
    machine.world.kill_master(slot);
    let plane = machine.plane();
    assert_eq!(settle(&plane, base.uid).await, Outcome::Done);
    check(&machine, &plane, base.uid, &base, "after a restart").await;
}

#[tokio::test]
async fn php_settings_variables_and_limits_reach_the_gateway_and_replace_workers() {
    let machine = Machine::new();
    let plane = machine.plane();
    let base = intent("bakery");
    let uid = base.uid;
    plane.tenants.accept(base.clone()).unwrap();
    settle(&plane, uid).await;
    let site = || sites::table(&plane).into_iter().next().unwrap();
    assert_eq!((site().php_values, site().php_admin_values), (vec![], vec![]));
    assert_eq!((site().max_workers, site().min_workers), (4, 0));
    assert!(!site().php_in_uploads);

    let mut asked = ask_tier(&base, 2, Tier::Silver);
    asked.spec.php.settings.insert("memory_limit".to_owned(), "128M".to_owned());
    asked.spec.php.settings.insert("display_errors".to_owned(), "on".to_owned());
    asked.spec.security.php_in_uploads = Some(true);
    asked.spec.runtime.max_instances = Some(3);
    asked.spec.runtime.min_instances = Some(0);
    plane.tenants.accept(asked.clone()).unwrap();
    let slot = Slot::new(site().slot).unwrap();
    machine.world.start_workers(slot, 2);
    settle(&plane, uid).await;
    let workers = async || machine.world.drivers().php.inventory().await.unwrap().len();
    assert_eq!(workers().await, 0, "workers keep what they were told");
    let has = |values: &[(String, String)], name: &str, value: &str| {
        values.contains(&(name.to_owned(), value.to_owned()))
    };
    assert!(has(&site().php_values, "memory_limit", "128M"), "{:?}", site().php_values);
    assert!(has(&site().php_values, "max_input_vars", "5000"), "all are told");
    assert!(has(&site().php_admin_values, "display_errors", "On"));
    assert_eq!((site().max_workers, site().min_workers), (3, 0));
    assert!(site().php_in_uploads);

    // Taken back: the defaults are told from then on, for a worker may still hold the others.
    plane.tenants.accept(ask(&base, 3, DesiredState::Active)).unwrap();
    settle(&plane, uid).await;
    assert!(has(&site().php_values, "memory_limit", "256M"));
    assert!(has(&site().php_admin_values, "display_errors", "Off"));
    // And nothing more is replaced.
    machine.world.start_workers(slot, 2);
    settle(&plane, uid).await;
    assert_eq!(workers().await, 2);
}
