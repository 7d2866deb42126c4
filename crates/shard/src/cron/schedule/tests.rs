//! Thousands of sites through hours, in no time.

use super::*;

fn site(number: u32) -> TenantUid {
    TenantUid(uuid::Uuid::from_u128(u128::from(number) << 96 | 1))
}

/// A schedule, and the two clocks.
struct World {
    schedule: Schedule,
    now: Moment,
}

impl World {
    fn of(sites: u32) -> Self {
        let now = Moment { wall_ms: 1_800_000_000_000, mono: Duration::from_secs(1) };
        let mut schedule = Schedule::default();
        schedule.keep_only(&(0..sites).map(site).collect(), now);
        Self { schedule, now }
    }

    /// Seconds since the test began, by the time of day.
    fn at(&self, seconds: i64) -> i64 {
        1_800_000_000 + seconds
    }

    fn pass(&mut self, ms: u64) {
        self.now.wall_ms += i64::try_from(ms).unwrap();
        self.now.mono += Duration::from_millis(ms);
    }

    fn tell(&mut self, number: u32, due: i64) {
        self.schedule.tell(site(number), Some(due), self.now);
    }

    fn wake(&mut self) -> Vec<TenantUid> {
        self.schedule.wake(self.now).into_iter().map(|wake| wake.uid).collect()
    }

    fn end(&mut self, number: u32, ended: &Ended) -> Option<Duration> {
        self.schedule.ended(site(number), ended, self.now)
    }
}

#[test]
fn thousands_of_sites_are_each_woken_once_and_soon() {
    let mut world = World::of(2000);
    for number in 0..2000 {
        let due = world.at(i64::from(number % 600));
        world.tell(number, due);
    }
    let (mut woken, mut latest) = (BTreeSet::new(), 0);
    for _ in 0..2 * 700 {
        world.pass(500);
        // Runs of a tenth of a second: what was begun is over before the next look.
        for _ in 0..4 {
            for wake in world.schedule.wake(world.now) {
                latest = latest.max(world.now.wall_ms - wake.due * 1000);
                assert!(world.now.wall_ms >= wake.due * 1000, "before its time");
                assert!(woken.insert(wake.uid), "twice");
                world.schedule.tell(wake.uid, None, world.now);
                world.schedule.ended(wake.uid, &Ended::Done, world.now);
            }
        }
    }
    assert_eq!(woken.len(), 2000);
    assert!(latest <= 2000, "{latest} ms late");
    assert!(world.wake().is_empty(), "nothing is due: nobody is woken");
}

#[test]
fn what_is_near_is_done_in_one_run() {
    let mut world = World::of(1);
    let due = world.at(10);
    world.tell(0, due);
    world.pass(10_000);
    assert!(world.wake().is_empty(), "a second is waited for what is next to it");
    world.pass(1000);
    assert_eq!(world.wake(), [site(0)]);
    assert!(world.wake().is_empty(), "one run at a time");
    // The run did both, and told of the next.
    let next = world.at(3600);
    world.tell(0, next);
    world.end(0, &Ended::Done);
    world.pass(60_000);
    assert!(world.wake().is_empty());
    assert_eq!(world.schedule.state(site(0)).due, Some(next));
}

#[test]
fn sites_that_hang_delay_nobody() {
    let mut world = World::of(50);
    for number in 0..40 {
        let due = world.at(0);
        world.tell(number, due);
    }
    let mut hanging = 0;
    for _ in 0..30 {
        world.pass(500);
        hanging += world.wake().len();
    }
    assert_eq!(hanging, 40, "who takes long is not waited for");
    let due = world.at(20);
    world.tell(45, due);
    world.pass(6000);
    assert_eq!(world.wake(), [site(45)], "forty hang, and it is woken at once");
    // They end after five minutes; next time they wait for each other, and for nobody else.
    world.pass(300_000);
    for number in 0..40 {
        assert!(world.end(number, &Ended::Failed("hangs".to_owned())).is_some());
    }
    world.end(45, &Ended::Done);
    world.pass(3_600_000);
    let now = world.at(3000);
    world.tell(46, now);
    let woken = world.wake();
    assert_eq!(woken.len(), SLOW_AT_ONCE + 1);
    assert!(woken.contains(&site(46)));
}

#[test]
fn a_site_that_gets_nowhere_rests_longer_and_longer() {
    let mut world = World::of(1);
    let due = world.at(0);
    world.tell(0, due);
    let (mut wakes, mut waits) = (0, Vec::new());
    let mut since = world.now.mono;
    for _ in 0..2 * 86_400 {
        world.pass(500);
        if !world.wake().is_empty() {
            wakes += 1;
            waits.push((world.now.mono - since).as_secs());
            since = world.now.mono;
            // It answers well, and its list is as it was.
            world.end(0, &Ended::Done);
        }
        while let Some(uid) = world.schedule.scan(world.now) {
            world.schedule.found(uid, Some(due), world.now);
        }
    }
    assert!(wakes < 40, "{wakes} wakes in a day");
    assert!(waits.windows(2).skip(1).all(|two| two[0] <= two[1] + 1), "{waits:?}");
    // Once it gets somewhere, all is forgotten.
    let next = world.at(90_000);
    world.pass(3_700_000);
    assert_eq!(world.wake().len(), 1);
    world.tell(0, next);
    world.end(0, &Ended::Done);
    let state = world.schedule.state(site(0));
    assert_eq!((state.failures, state.rest_until), (0, None));
}

#[test]
fn a_liar_wakes_only_himself_and_seldom() {
    let mut world = World::of(2);
    let mut wakes = [0, 0];
    let honest = world.at(1800);
    world.tell(1, honest);
    for step in 0..2 * 3600 {
        world.pass(500);
        // Always something else, always long past.
        world.tell(0, i64::from(step));
        for uid in world.wake() {
            let number = u32::from(uid == site(1));
            wakes[number as usize] += 1;
            if number == 1 {
                world.schedule.tell(uid, None, world.now);
            }
            world.end(number, &Ended::Done);
        }
    }
    let most = WAKES_BURST + u32::try_from(3600 / WAKES_EVERY.as_secs()).unwrap();
    assert!(wakes[0] <= most, "{} wakes in an hour", wakes[0]);
    assert_eq!(wakes[1], 1);
    for lie in [i64::MAX, i64::MIN, 0] {
        world.tell(0, lie);
        world.wake();
    }
}

#[test]
fn a_scan_finds_what_was_never_said() {
    let mut world = World::of(1000);
    let mut scanned = BTreeSet::new();
    for _ in 0..4 * 300 {
        world.pass(250);
        if let Some(uid) = world.schedule.scan(world.now) {
            scanned.insert(uid);
            let due = world.at(400);
            world.schedule.found(uid, Some(due), world.now);
        }
    }
    assert_eq!(scanned.len(), 1000);
    // What a site told late, so that it is done with others, is no news.
    let told = world.at(460);
    world.tell(7, told);
    let due = world.at(400);
    world.schedule.found(site(7), Some(due), world.now);
    assert_eq!(world.schedule.state(site(7)).due, Some(told));
    world.schedule.found(site(7), Some(due - 1), world.now);
    assert_eq!(world.schedule.state(site(7)).due, Some(due - 1), "but this is");
    world.schedule.found(site(7), None, world.now);
    assert_eq!(world.schedule.state(site(7)).due, Some(due - 1));
}

#[test]
fn a_clock_that_jumps_delays_nothing_that_was_due() {
    let mut world = World::of(2);
    let (soon, later) = (world.at(60), world.at(7200));
    world.tell(0, soon);
    world.tell(1, later);
    // Two hours forward: both are due.
    world.now.wall_ms += 7_300_000;
    assert_eq!(world.wake().len(), 2);
    world.tell(0, later + 100);
    world.end(0, &Ended::Failed("x".to_owned()));
    world.end(1, &Ended::Unasked);
    // And back: rests go by the other clock, and what is in the future again waits for its time.
    world.now.wall_ms -= 7_300_000;
    world.pass(30_000);
    assert!(world.wake().is_empty());
    world.pass(7_400_000);
    assert_eq!(world.wake().len(), 2);
}

#[test]
fn who_is_not_served_is_not_woken_and_comes_back() {
    let mut world = World::of(2);
    let due = world.at(0);
    world.tell(0, due);
    world.tell(1, due);
    world.pass(2000);
    world.schedule.keep_only(&BTreeSet::from([site(1)]), world.now);
    assert_eq!(world.wake(), [site(1)]);
    assert_eq!(world.end(0, &Ended::Done), None, "one that left meanwhile");
    world.schedule.keep_only(&BTreeSet::from([site(0), site(1)]), world.now);
    world.tell(0, due);
    assert_eq!(world.wake(), [site(0)]);
}

/// Fifty sites with an event each hour, all of them due: how many were woken, and how many at most
/// ran at once, while each run takes a second.
fn herd(world: &mut World, seconds: u32) -> (BTreeMap<TenantUid, u32>, usize) {
    let (mut woken, mut most) = (BTreeMap::new(), 0);
    let mut running: Vec<(TenantUid, Duration)> = Vec::new();
    for _ in 0..2 * seconds {
        world.pass(500);
        let now = world.now;
        let (over, left): (Vec<_>, Vec<_>) =
            running.into_iter().partition(|(_, began)| now.mono - *began >= Duration::from_secs(1));
        running = left;
        for (uid, _) in over {
            // WordPress puts a repeated event that was missed after now, however often it was.
            let next = now.wall_ms / 1000 + 3600;
            world.schedule.tell(uid, Some(next), now);
            world.schedule.ended(uid, &Ended::Done, now);
        }
        for uid in world.wake() {
            *woken.entry(uid).or_default() += 1;
            running.push((uid, now.mono));
        }
        most = most.max(running.len());
    }
    (woken, most)
}

#[test]
fn what_was_missed_is_done_once_and_not_by_all_at_once() {
    // The platform was down for a week: the marks say when each was due first.
    let mut world = World::of(50);
    for number in 0..50 {
        let due = world.at(-7 * 86_400 + i64::from(number));
        world.tell(number, due);
    }
    let (woken, most) = herd(&mut world, 60);
    assert_eq!((woken.len(), woken.values().max()), (50, Some(&1)));
    assert!(most <= QUICK_AT_ONCE, "{most} at once");
}

#[test]
fn a_clock_that_jumps_makes_each_event_happen_once() {
    let mut world = World::of(50);
    for number in 0..50 {
        let due = world.at(600 + i64::from(number));
        world.tell(number, due);
    }
    // A year forward.
    world.now.wall_ms += 365 * 86_400_000;
    let (woken, most) = herd(&mut world, 60);
    assert_eq!((woken.len(), woken.values().max()), (50, Some(&1)));
    assert!(most <= QUICK_AT_ONCE, "{most} at once");
    // And back: the next events are a year away. The sites tell of earlier ones when they have some,
    // and their databases do when they say nothing.
    world.now.wall_ms -= 365 * 86_400_000;
    let (woken, _) = herd(&mut world, 60);
    assert!(woken.is_empty(), "{woken:?}");
    let due = world.now.wall_ms / 1000 + 5;
    for number in 0..50 {
        world.schedule.found(site(number), Some(due), world.now);
    }
    let (woken, _) = herd(&mut world, 60);
    assert_eq!((woken.len(), woken.values().max()), (50, Some(&1)));
}
