//! A thousand followers while a hundred changes a second are made: of the platform's events, and of
//! operations. Whether each gets everything once and in order, how late, and what it costs meta.

mod follower;
mod operations;

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use aipress_api::TenantPatch;
use aipress_api::client::ApiClient;
use aipress_api::client::ListQuery;
use aipress_kit::tasks;
use aipress_types::Tier;
use anyhow::Context;
use serde_json::json;
use tokio::sync::watch;

use self::follower::Follower;
use self::follower::Seen;
use self::operations::Followed;
use crate::args::Options;
use crate::cores::Cores;
use crate::platform::Platform;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Stats;

/// Who follows all events, and who follows operations of sites.
const OF_EVENTS: usize = 800;
const OF_OPERATIONS: usize = 200;
/// One in so many of the first reads nothing until all changes are made.
const ONE_SLEEPS_IN: usize = 20;
/// Changes a second, for so many seconds.
const RATE: u32 = 100;
const SECONDS: usize = 30;
/// Sites whose labels change, and sites that are suspended and resumed.
const CHANGED: usize = 4;
const OPERATED: usize = 4;
/// Longest time for everything to arrive once the last change was made.
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);
/// Memory of meta, in MiB.
const MEMORY: f64 = 256.0;

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "events")?;
    let cores = Cores::shared();
    let mut run = Run::begin("events", options, cores, scratch.path())?;
    // All of them are one user here.
    let settings = [("streams.perUser", "2048")];
    let platform = Platform::start_with(options, cores, scratch.path(), &settings, 2).await?;
    let bench = Bench::make(options, platform).await?;
    let measured = bench.measure().await?;
    bench.describe(&mut run);
    report(&mut run, &measured);
    Ok(run)
}

struct Bench {
    platform: Platform,
    changed: Vec<String>,
    operated: Vec<String>,
    of_events: usize,
    of_operations: usize,
    seconds: u32,
}

/// What was measured.
struct Measured {
    /// Changes that were made, how long that took, and each change's answer in ms.
    changes: usize,
    seconds: f64,
    answers_ms: Vec<f64>,
    /// Events that there were for each follower, by number.
    told: Vec<u64>,
    seen: Vec<Seen>,
    followed: Followed,
    memory_before: u64,
    memory_peak: u64,
    cpu_s: BTreeMap<String, f64>,
}

impl Bench {
    async fn make(options: &Options, platform: Platform) -> anyhow::Result<Self> {
        let names = |what: &str, count: usize| -> Vec<String> {
            (1..=count).map(|number| format!("{what}-{number}")).collect()
        };
        let (changed, operated) = (names("changed", CHANGED), names("operated", OPERATED));
        for name in changed.iter().chain(&operated) {
            platform.create(name, Tier::Bronze).await?;
        }
        platform.settle(Duration::from_secs(1), Duration::from_secs(30)).await?;
        let seconds = u32::try_from(options.samples(SECONDS, 3)).unwrap_or(1);
        let of_events = options.samples(OF_EVENTS, 80);
        let of_operations = options.samples(OF_OPERATIONS, 20);
        Ok(Self { platform, changed, operated, of_events, of_operations, seconds })
    }

    async fn measure(&self) -> anyhow::Result<Measured> {
        let meta = self.meta_pid().await?;
        let memory_before = memory(meta, "VmRSS:")?;
        eprintln!("  {} followers of events come", self.of_events);
        let (until, over) = watch::channel(None);
        let mut followers = Vec::new();
        for number in 0..self.of_events {
            let sleeps = number % ONE_SLEEPS_IN == 0;
            let follower = Follower::come(&self.platform, sleeps, over.clone()).await?;
            followers.push(tasks::spawn("follower", follower.follow()));
        }
        let begin = self.platform.api.event_list(&ListQuery::default()).await?.next_cursor;
        let cpu_before = self.platform.cpu_s().await?;
        let done = watch::channel(false);
        let of_one = self.of_operations / self.operated.len();
        let operating = self.operated.iter().map(|site| {
            let (api, site) = (self.platform.api.clone(), site.clone());
            tasks::spawn("operations", operations::operate(api, site, of_one, done.1.clone()))
        });
        let operating: Vec<_> = operating.collect();
        eprintln!("  {RATE} changes a second for {} s", self.seconds);
        let begun = Instant::now();
        let answers_ms = self.change(begun).await?;
        let seconds = begun.elapsed().as_secs_f64();
        done.0.send_replace(true);
        let mut followed = Followed::default();
        for task in operating {
            followed.add(&task.await?.context("operations ended early")??);
        }
        let told = self.told(begin).await?;
        until.send_replace(Some(told.last().copied().unwrap_or_default()));
        let mut seen = Vec::new();
        let all = async {
            for follower in followers {
                seen.push(follower.await?.context("a follower ended early")??);
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(ARRIVES_WITHIN, all).await.context("events did not arrive")??;
        let mut cpu_s = self.platform.cpu_s().await?;
        for (kind, spent) in &mut cpu_s {
            *spent -= cpu_before.get(kind).copied().unwrap_or_default();
        }
        let memory_peak = memory(meta, "VmHWM:")?;
        let changes = answers_ms.len();
        Ok(Measured {
            changes,
            seconds,
            answers_ms,
            told,
            seen,
            followed,
            memory_before,
            memory_peak,
            cpu_s,
        })
    }

    /// Changes labels at a constant rate, whatever the answers take; the time of each answer from
    /// when it was due.
    async fn change(&self, begun: Instant) -> anyhow::Result<Vec<f64>> {
        let mut answers = Vec::new();
        for number in 0..RATE * self.seconds {
            let due = begun + Duration::from_secs(1) * number / RATE;
            tokio::time::sleep_until(due.into()).await;
            let site = self.changed[number as usize % self.changed.len()].clone();
            let api = self.platform.api.clone();
            answers.push(tasks::spawn("change", async move {
                label(&api, &site, number).await?;
                anyhow::Ok(due.elapsed().as_secs_f64() * 1_000.0)
            }));
        }
        let mut times = Vec::new();
        for answer in answers {
            times.push(answer.await?.context("a change ended early")??);
        }
        Ok(times)
    }

    /// The numbers of all events after `after`, as pages tell them.
    async fn told(&self, mut after: String) -> anyhow::Result<Vec<u64>> {
        let mut told = Vec::new();
        loop {
            let query = ListQuery::default().with("after", Some(&after)).with("limit", Some(500));
            let page = self.platform.api.event_list(&query).await?;
            for event in &page.items {
                told.push(event.id.parse().context("number of an event")?);
            }
            if !page.more {
                return Ok(told);
            }
            after = page.next_cursor;
        }
    }

    async fn meta_pid(&self) -> anyhow::Result<u32> {
        let units = self.platform.snapshot().await?.units;
        let meta = units.into_iter().find(|unit| unit.name == "meta");
        meta.and_then(|unit| unit.pid).context("meta does not run")
    }

    fn describe(&self, run: &mut Run) {
        run.method(format!(
            "{} followers of all events and {} of operations, each a connection of its own through \
             the edge; one in {ONE_SLEEPS_IN} of the first reads nothing until all changes are made",
            self.of_events, self.of_operations
        ));
        run.method(format!(
            "changes: labels of {CHANGED} sites, open loop of {RATE} a second for {} s, each a \
             transaction with operation, audit row and event, synced; beside them {OPERATED} sites \
             suspended and resumed without a pause, each operation followed to its end",
            self.seconds
        ));
        run.method(
            "what each follower got is compared with the pages of `GET /v1/events` read afterwards; \
             delay: from an event's `at` to its arrival, of the followers that read all the time",
        );
    }
}

async fn label(api: &ApiClient, site: &str, number: u32) -> anyhow::Result<()> {
    let metadata = json!({ "labels": { "number": number.to_string() } });
    let patch = TenantPatch { metadata: Some(metadata), spec: None };
    api.tenant_update(site, &patch).await.with_context(|| format!("change {number} of {site}"))?;
    Ok(())
}

/// A line of a process's status, in bytes (proc(5)).
fn memory(pid: u32, line: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let kib = text.lines().find_map(|it| it.strip_prefix(line)).context("no such line")?;
    Ok(kib.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}

fn report(run: &mut Run, measured: &Measured) {
    let Measured { told, seen, followed, .. } = measured;
    let faults: Vec<_> = seen.iter().map(|seen| seen.faults(told)).collect();
    let of = |count: fn(&follower::Faults) -> usize| {
        Stats::of(&faults.iter().map(|faults| count(faults) as f64).collect::<Vec<_>>())
    };
    let sum = |stats: &Stats| stats.values.iter().sum::<f64>();
    for (id, title, stats) in [
        ("events-missed", "events missed, all followers", of(|it| it.missed)),
        ("events-doubled", "events doubled, all followers", of(|it| it.doubled)),
        ("events-disordered", "events out of order, all followers", of(|it| it.disordered)),
    ] {
        let value = sum(&stats);
        run.rows.push(
            Row::new(id, title, "events", Better::Lower, stats).value(value).bounds(0.0, None),
        );
    }
    let faulty = Stats::of(&[followed.faulty as f64]);
    let row = Row::new(
        "operations-faulty",
        "operations with a gap, twice or without an end",
        "",
        Better::Lower,
        faulty,
    );
    run.rows.push(
        row.bounds(0.0, None)
            .detail("operations", followed.operations as f64)
            .detail("times that one was followed", followed.streams as f64)
            .detail("events delivered", followed.events as f64),
    );

    let rate = measured.changes as f64 / measured.seconds;
    let delivered: usize = seen.iter().map(|seen| seen.events.len()).sum();
    let mut row =
        Row::new("events-rate", "changes a second", "/s", Better::Higher, Stats::of(&[rate]))
            // The last one is due a hundredth of a second before the last second is over.
            .bounds(f64::from(RATE) * 0.99, None)
            .detail("followers of events", seen.len() as f64)
            .detail("events", told.len() as f64)
            .detail("events delivered", delivered as f64)
            .detail("events delivered a second", delivered as f64 / measured.seconds);
    for (kind, spent) in &measured.cpu_s {
        row = row.detail(format!("CPU of {kind}, s"), *spent);
    }
    run.rows.push(row);
    let answers = Stats::of(&measured.answers_ms);
    let p99 = answers.quantile(0.99);
    run.rows.push(
        Row::new("events-change-p99", "answer to a change, p99", "ms", Better::Lower, answers)
            .value(p99),
    );

    let (typical, slowest) = delays(seen);
    run.rows.push(Row::new(
        "events-delay-p50",
        "delay of an event, the follower in the middle, p50",
        "ms",
        Better::Lower,
        typical,
    ));
    let p99 = slowest.quantile(0.99);
    run.rows.push(
        Row::new(
            "events-delay-p99",
            "delay of an event, the slowest follower, p99",
            "ms",
            Better::Lower,
            slowest,
        )
        .value(p99),
    );

    let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
    let peak = Stats::of(&[mib(measured.memory_peak)]);
    let row = Row::new("events-memory", "peak memory of meta", "MiB", Better::Lower, peak);
    run.rows.push(
        row.bounds(MEMORY, None).detail("before the first follower", mib(measured.memory_before)),
    );
}

/// Of each event the delay of the follower in the middle, and of the slowest, in ms.
fn delays(seen: &[Seen]) -> (Stats, Stats) {
    let mut by_event: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (id, delay_ms) in seen.iter().filter(|seen| !seen.slept).flat_map(|seen| &seen.events) {
        by_event.entry(*id).or_default().push(*delay_ms);
    }
    let (mut typical, mut slowest) = (Vec::new(), Vec::new());
    for mut delays in by_event.into_values() {
        delays.sort_by(f64::total_cmp);
        typical.extend(delays.get(delays.len() / 2));
        slowest.extend(delays.last());
    }
    (Stats::of(&typical), Stats::of(&slowest))
}
