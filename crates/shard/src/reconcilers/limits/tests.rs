//! What is told of which limit, on the simulated machine.

use aipress_drivers::BusySite;
use aipress_drivers::DatabaseRoom;
use aipress_drivers::DiskHeld;

use super::disk::WALK;
use super::disk::WALK_NEAR;
use super::disk::is_due;
use super::*;
use crate::fixtures;
use crate::reconcilers::tenant::tests::Machine;
use crate::reconcilers::tenant::tests::settle;
use crate::sites;

#[tokio::test(start_paused = true)]
async fn a_site_is_walked_when_it_could_have_reached_its_limit() {
    let gb = 1_000_000_000;
    let mut site = Site::default();
    assert!(is_due(&site, 5 * gb, 100 * gb, false), "nothing is known of it");
    site.disk = Some(Walked { bytes: gb, at: Instant::now(), free: 100 * gb });
    assert!(!is_due(&site, 5 * gb, 97 * gb, true), "others took less than it has left");
    assert!(is_due(&site, 5 * gb, 96 * gb, true));
    assert!(!is_due(&site, 5 * gb, 96 * gb, false), "nothing runs there");
    tokio::time::advance(WALK).await;
    assert!(is_due(&site, 5 * gb, 100 * gb, true), "now and then");
    site.disk = Some(Walked { bytes: 5 * gb, at: Instant::now(), free: gb });
    site.is_full = true;
    assert!(!is_due(&site, 5 * gb, gb, true));
    tokio::time::advance(WALK_NEAR).await;
    assert!(is_due(&site, 5 * gb, gb, false), "one that is full may have deleted something");
}

#[test]
fn a_database_first_takes_no_rows_then_no_longer_ones() {
    use DatabaseGrowth::Free;
    use DatabaseGrowth::Nothing;
    use DatabaseGrowth::Updates;
    assert_eq!(growth(999, 1000, Free, None), Free);
    assert_eq!(growth(1500, 1000, Free, None), Updates, "however far over: to sign in");
    assert_eq!(growth(1599, 1000, Updates, Some(1500)), Updates);
    assert_eq!(growth(1600, 1000, Updates, Some(1500)), Nothing, "it grows by updates");
    assert_eq!(growth(1500, 1000, Nothing, None), Nothing);
    assert_eq!(growth(990, 1000, Nothing, None), Updates);
    assert_eq!(growth(980, 1000, Updates, Some(1500)), Free);
}

#[tokio::test(start_paused = true)]
async fn what_holds_is_told_once_and_what_happened_for_a_while() {
    let mut site = Site::default();
    site.hold(Limit::Disk, Some("5.0 GB".to_owned()));
    site.hold(Limit::Disk, Some("5.1 GB".to_owned()));
    assert_eq!(site.told[&Limit::Disk].0, "5.0 GB");
    site.happened(Limit::Memory, "killed".to_owned());
    assert!(site.told[&Limit::Memory].1.is_some());
    site.hold(Limit::Disk, None);
    assert!(!site.told.contains_key(&Limit::Disk));
    assert_eq!([size(900), size(5_000_000), size(5 << 30)], ["0 kB", "5 MB", "5.4 GB"]);
}

#[tokio::test(start_paused = true)]
async fn a_database_over_its_limit_stops_growing_until_it_is_smaller() {
    let machine = Machine::new();
    let plane = machine.plane();
    let intent = fixtures::intent("bakery");
    let uid = intent.uid;
    plane.tenants.accept(intent).unwrap();
    settle(&plane, uid).await;
    let has = |bytes, growth| machine.world.set_room(DatabaseRoom { uid, bytes, growth });
    let growth = || machine.world.room(uid).unwrap().growth;
    let mut limits = Limits::default();
    has(2_000_000_000, DatabaseGrowth::Free);
    limits.look(&plane).await;
    assert_eq!(growth(), DatabaseGrowth::Updates);
    let told = plane.tenants.fetch(uid).unwrap().observed.limits;
    assert!(told.len() == 1 && told[0].contains("its tier has 1.0 GB"), "{told:?}");
    // What the site is told stays over a look at the tenant itself.
    settle(&plane, uid).await;
    assert_eq!(plane.tenants.fetch(uid).unwrap().observed.limits, told);
    has(1_000_000, DatabaseGrowth::Updates);
    for _ in 0..SERVERS_EACH {
        limits.look(&plane).await;
    }
    assert_eq!(growth(), DatabaseGrowth::Free);
    assert!(plane.tenants.fetch(uid).unwrap().observed.limits.is_empty());
}

#[tokio::test(start_paused = true)]
async fn on_a_short_disk_no_database_grows_and_all_do_when_there_is_room_again() {
    const MIB: u64 = 1 << 20;
    let machine = Machine::new();
    let plane = machine.plane();
    let intent = fixtures::intent("bakery");
    let uid = intent.uid;
    plane.tenants.accept(intent).unwrap();
    settle(&plane, uid).await;
    let own = |growth| machine.world.set_room(DatabaseRoom { uid, bytes: 1_000_000, growth });
    own(DatabaseGrowth::Free);
    let mut limits = Limits::default();
    limits.look(&plane).await;
    // Each at the next look, whether databases are due or not.
    for (free, growth) in [
        (511 * MIB, DatabaseGrowth::Updates),
        (200 * MIB, DatabaseGrowth::Nothing),
        (400 * MIB, DatabaseGrowth::Updates),
        (900 * MIB, DatabaseGrowth::Free),
    ] {
        machine.world.set_free(free);
        limits.look(&plane).await;
        assert_eq!(machine.world.room(uid).unwrap().growth, growth, "{} MiB", free / MIB);
        let told = plane.tenants.fetch(uid).unwrap().observed.limits;
        let says = told.iter().any(|words| words.contains("The disk of the server is nearly full"));
        assert_eq!(says, growth != DatabaseGrowth::Free, "{told:?}");
    }
}

/// A site on a machine of its own.
struct OnMachine {
    machine: Machine,
    plane: Arc<Plane>,
    uid: TenantUid,
    limits: Limits,
}

impl OnMachine {
    async fn new() -> Self {
        let machine = Machine::new();
        let plane = machine.plane();
        let intent = fixtures::intent("bakery");
        let uid = intent.uid;
        plane.tenants.accept(intent).unwrap();
        settle(&plane, uid).await;
        let mut told = Self { machine, plane, uid, limits: Limits::default() };
        assert!(told.look().await.is_empty(), "nothing was met yet");
        told
    }

    fn meet(&self, met: ShareMet) {
        let slot = self.plane.tenants.fetch(self.uid).unwrap().entry.slot.unwrap();
        self.machine.world.set_met(Slot::new(slot).unwrap(), met);
    }

    /// Looks at everything once; what the site is told then.
    async fn look(&mut self) -> Vec<String> {
        for _ in 0..SERVERS_EACH {
            self.limits.look(&self.plane).await;
        }
        self.plane.tenants.fetch(self.uid).unwrap().observed.limits
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_kernel_counted_is_told_in_words() {
    let none = ShareMet::default();
    for (met, words) in [
        (
            ShareMet { cpu_periods: 50, cpu_throttled: 40, ..none },
            Some("PHP uses all of the CPU that the tier has (1 cores) and waits."),
        ),
        // Who waits now and then, or wanted CPU for a moment only, is told nothing.
        (ShareMet { cpu_periods: 50, cpu_throttled: 25, ..none }, None),
        (ShareMet { cpu_periods: 19, cpu_throttled: 19, ..none }, None),
        (
            ShareMet { memory_kills: 1, ..none },
            Some("PHP needed more than 1.1 GB of memory; a request was ended."),
        ),
        (
            ShareMet { process_refusals: 9, ..none },
            Some("The site tried to run more than 64 processes at once."),
        ),
    ] {
        let mut told = OnMachine::new().await;
        told.meet(met);
        assert_eq!(told.look().await, words.into_iter().collect::<Vec<_>>(), "{met:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_that_wants_all_its_cpu_all_the_time_weighs_less_until_it_is_calm() {
    let mut told = OnMachine::new().await;
    let slot = told.plane.tenants.fetch(told.uid).unwrap().entry.slot.unwrap();
    let world = told.machine.world.clone();
    let weight = || world.share(Slot::new(slot).unwrap()).unwrap().cpu_weight;
    assert_eq!(weight(), 100);
    told.meet(ShareMet { cpu_periods: 50, cpu_throttled: 40, ..ShareMet::default() });
    told.look().await;
    told.look().await;
    assert_eq!(weight(), 10);
    tokio::time::advance(HUNGRY).await;
    told.look().await;
    assert_eq!(weight(), 100);
}

#[tokio::test(start_paused = true)]
async fn queries_that_were_ended_or_are_many_are_told_for_a_while() {
    let mut told = OnMachine::new().await;
    told.machine.world.set_busy_queries(&[BusySite { uid: told.uid, queries: 1, is_held: true }]);
    told.machine.world.run_long_query(told.uid);
    assert_eq!(
        told.look().await,
        [
            "A query of the database took longer than 120 s and was ended.",
            "The site's queries keep the database server busy: a few run at once, the others are \
             ended.",
        ]
    );
    let plane = Arc::clone(&told.plane);
    let workers = || sites::table(&plane)[0].max_workers;
    assert_eq!(workers(), 1, "pages wait for each other");
    told.machine.world.set_busy_queries(&[]);
    assert_eq!(told.look().await.len(), 2, "whoever looks later finds it");
    assert!(workers() > 1, "it was let go");
    tokio::time::advance(TOLD).await;
    assert!(told.look().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_site_that_met_its_quota_is_told_and_no_mark_stops_it() {
    let mut told = OnMachine::new().await;
    let limit = 5_000_000_000;
    let has = |told: &OnMachine, bytes, files| {
        let held = DiskHeld { bytes, files, files_max: 1000 };
        told.machine.world.set_held(told.uid, held);
    };
    // What the file system holds it to is what its tier has.
    has(&told, 1_000_000, 10);
    tokio::time::advance(WALK).await;
    assert!(told.look().await.is_empty());
    assert_eq!(told.machine.world.held_to(told.uid), Some(limit));
    has(&told, limit, 10);
    tokio::time::advance(WALK).await;
    let full = ["The site's files take 5.0 GB, its tier has 5.0 GB: no file can be written until \
                 some are deleted."];
    assert_eq!(told.look().await, full);
    let slot = told.plane.tenants.fetch(told.uid).unwrap().entry.slot.unwrap();
    assert!(!told.machine.world.is_full(Slot::new(slot).unwrap()), "the kernel refuses by itself");
    // From then on it is looked at each time, until there is room.
    has(&told, limit / 100 * 99, 10);
    assert_eq!(told.look().await, full);
    has(&told, limit / 100 * 90, 10);
    assert!(told.look().await.is_empty());
    has(&told, 1_000_000, 1000);
    tokio::time::advance(WALK).await;
    let many = told.look().await;
    assert!(many.len() == 1 && many[0].starts_with("The site has 1000 files"), "{many:?}");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_starts_anew_knows_what_was_told() {
    let mut site = OnMachine::new().await;
    let held = DiskHeld { bytes: 5_000_000_000, files: 10, files_max: 1000 };
    site.machine.world.set_held(site.uid, held);
    site.meet(ShareMet { memory_kills: 1, ..ShareMet::default() });
    tokio::time::advance(WALK).await;
    let known = site.look().await;
    assert_eq!(known.len(), 2, "{known:?}");
    // It is reported from the first moment on, and no line of the log says it a second time.
    let plane = site.machine.plane();
    let recalled = Limits::recall(&plane).await;
    assert_eq!(plane.tenants.fetch(site.uid).unwrap().observed.limits, known);
    assert_eq!(recalled.sites[&site.uid].sentences, known);
    let mut site = OnMachine { plane, limits: recalled, ..site };
    // Other figures are the same limit.
    let held = DiskHeld { bytes: 4_950_000_000, ..held };
    site.machine.world.set_held(site.uid, held);
    assert_eq!(site.look().await, known);
    // What is over by then is told as that, and what happened in a moment after a while.
    site.machine.world.set_held(site.uid, DiskHeld { bytes: 1000, ..held });
    assert_eq!(site.look().await, known[1..]);
    tokio::time::advance(TOLD).await;
    assert!(site.look().await.is_empty());
}
