//! On the simulated machine: who is due is woken, who is suspended is not, and a new control plane
//! knows what the last one knew.

use std::sync::Mutex;

use aipress_api::internal::SiteEntry;
use aipress_drivers::sim::SimWorld;
use aipress_types::DesiredState;
use async_trait::async_trait;
use tokio::sync::Notify;

use super::*;
use crate::fixtures::intent;
use crate::reconcilers::tenant::tests::Machine;
use crate::reconcilers::tenant::tests::settle;

/// Does the events of sites: those in `hangs` never end, others tell of the next event.
#[derive(Default)]
struct Sites {
    world: SimWorld,
    woken: Mutex<Vec<TenantUid>>,
    hangs: Mutex<BTreeSet<TenantUid>>,
    ended: Notify,
}

#[async_trait]
impl Waker for Sites {
    async fn wake(&self, site: &SiteEntry) -> Ended {
        self.woken.lock().unwrap().push(site.uid);
        if self.hangs.lock().unwrap().contains(&site.uid) {
            self.ended.notified().await;
            return Ended::Failed("it did not end in time".to_owned());
        }
        self.world.mark_cron(site.uid, None);
        Ended::Done
    }
}

impl Sites {
    fn woken(&self) -> Vec<TenantUid> {
        std::mem::take(&mut self.woken.lock().unwrap())
    }
}

/// A few looks, with time for the runs in between.
async fn looks(plane: &Arc<Plane>, waker: &Arc<dyn Waker>, stop: &CancellationToken) {
    for _ in 0..4 {
        look(plane, waker, stop).await;
        tokio::time::sleep(INTERVAL).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_due_is_woken_and_who_is_suspended_is_not() {
    let machine = Machine::new();
    let plane = machine.plane();
    let sites = Arc::new(Sites { world: machine.world.clone(), ..Sites::default() });
    let waker: Arc<dyn Waker> = Arc::clone(&sites) as _;
    let stop = CancellationToken::new();
    let (mut bakery, florist) = (intent("bakery"), intent("florist"));
    for intent in [&bakery, &florist] {
        plane.tenants.accept(intent.clone()).unwrap();
        settle(&plane, intent.uid).await;
    }
    let past = plane.clock.now().unix_timestamp() - 60;
    machine.world.mark_cron(bakery.uid, Some(past));
    machine.world.mark_cron(florist.uid, Some(past + 3600));
    looks(&plane, &waker, &stop).await;
    assert_eq!(sites.woken(), [bakery.uid]);
    let view = plane.cron.view(bakery.uid);
    assert_eq!((view.wakes[0].count, view.last_run.unwrap().problem), (1, None));

    // A hanging site beside: the other is woken, the hanging one not a second time.
    sites.hangs.lock().unwrap().insert(bakery.uid);
    machine.world.mark_cron(bakery.uid, Some(past + 1));
    looks(&plane, &waker, &stop).await;
    machine.world.mark_cron(florist.uid, Some(past + 2));
    looks(&plane, &waker, &stop).await;
    assert_eq!(sites.woken(), [bakery.uid, florist.uid]);
    assert!(plane.cron.view(bakery.uid).is_running);
    sites.ended.notify_one();
    looks(&plane, &waker, &stop).await;
    let view = plane.cron.view(bakery.uid);
    assert!(view.resting_until.is_some() && view.failures == 1, "{view:?}");
    assert_eq!(view.last_run.unwrap().problem.as_deref(), Some("it did not end in time"));
    assert!(sites.woken().is_empty(), "it rests");

    // Another control plane: the counts are there, and what is due is read again.
    plane.cron.write();
    sites.hangs.lock().unwrap().clear();
    bakery = plane.tenants.fetch(bakery.uid).unwrap().entry.intent.clone();
    let plane = machine.plane();
    looks(&plane, &waker, &stop).await;
    assert_eq!(sites.woken(), [bakery.uid]);
    assert_eq!(plane.cron.view(bakery.uid).wakes[0].count, 3);

    // Suspended: whatever its mark says.
    bakery.generation += 1;
    bakery.desired = DesiredState::Suspended;
    plane.tenants.accept(bakery.clone()).unwrap();
    settle(&plane, bakery.uid).await;
    machine.world.mark_cron(bakery.uid, Some(past + 3));
    looks(&plane, &waker, &stop).await;
    assert!(sites.woken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_only_the_database_knows_is_found() {
    let machine = Machine::new();
    let plane = machine.plane();
    let sites = Arc::new(Sites { world: machine.world.clone(), ..Sites::default() });
    let waker: Arc<dyn Waker> = Arc::clone(&sites) as _;
    let stop = CancellationToken::new();
    let bakery = intent("bakery");
    plane.tenants.accept(bakery.clone()).unwrap();
    settle(&plane, bakery.uid).await;
    machine.world.set_cron_due(bakery.uid, Some(plane.clock.now().unix_timestamp() - 60));
    let scanning = tokio::spawn(scan(Arc::clone(&plane), stop.clone()));
    let mut woken = Vec::new();
    for _ in 0..60 {
        looks(&plane, &waker, &stop).await;
        woken = sites.woken();
        if !woken.is_empty() {
            break;
        }
    }
    assert_eq!(woken, [bakery.uid]);
    stop.cancel();
    scanning.await.unwrap();
}
