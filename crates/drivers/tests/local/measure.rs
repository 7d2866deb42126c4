//! Figures, printed: `cargo test -p aipress-drivers --test local -- --ignored --nocapture measure`.

use std::time::Duration;
use std::time::Instant;

use aipress_drivers::SiteDatabase;
use aipress_types::Secret;

use crate::conformance;
use crate::machine::CORE;
use crate::machine::Machine;
use crate::machine::SqlTemplate;
use crate::machine::fresh_uid;

fn pss_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort();
    let ms = |at: usize| times[at].as_secs_f64() * 1000.0;
    let last = times.len() - 1;
    println!(
        "{what}: min {:.1}, p50 {:.1}, p99 {:.1}, max {:.1} ms ({} samples)",
        ms(0),
        ms(last / 2),
        ms(last * 99 / 100),
        ms(last),
        times.len()
    );
}

async fn creations(machine: &Machine, count: usize, spares: bool) -> Vec<Duration> {
    let database = machine.drivers().database;
    let person = conformance::who("bakery");
    let mut times = Vec::new();
    for _ in 0..count {
        if spares {
            database.ensure_spare(CORE, 1).await.unwrap();
        }
        let site = SiteDatabase::of(fresh_uid(), Secret::new("pw"));
        let started = Instant::now();
        database.ensure_site(&site, CORE, &person).await.unwrap();
        times.push(started.elapsed());
    }
    times
}

#[tokio::test]
#[ignore = "measures, asserts nothing"]
async fn measure() {
    let machine = Machine::new();
    let started = Instant::now();
    machine.prepare_mariadb();
    println!("first data folder: {:?}", started.elapsed());
    let started = Instant::now();
    machine.start_mariadb().await;
    println!("start: {:?}", started.elapsed());
    machine.start_redis().await;
    let (mariadb, redis) = (machine.pid("mariadb"), machine.pid("redis"));
    println!("idle: mariadbd {} KiB, redis {} KiB PSS", pss_kib(mariadb), pss_kib(redis));
    let database = machine.drivers().database;
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    print("clone + personalize + user", &mut creations(&machine, 50, false).await);
    println!("50 sites: mariadbd {} KiB PSS", pss_kib(mariadb));
    print("the same with a spare", &mut creations(&machine, 50, true).await);
    let mut kept = Vec::new();
    let site = SiteDatabase::of(fresh_uid(), Secret::new("pw"));
    let person = conformance::who("bakery");
    database.ensure_site(&site, CORE, &person).await.unwrap();
    for _ in 0..200 {
        let started = Instant::now();
        database.ensure_site(&site, CORE, &person).await.unwrap();
        kept.push(started.elapsed());
    }
    print("looked at and kept", &mut kept);
}
