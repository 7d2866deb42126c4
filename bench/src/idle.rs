//! What idle sites cost in memory: PSS of every process of the platform with 50 of them, minus
//! that of the same platform without a site.

use std::collections::BTreeMap;
use std::time::Duration;

use aipress_types::Tier;

use crate::args::Options;
use crate::client::Connection;
use crate::cores::Cores;
use crate::machine;
use crate::platform::Platform;
use crate::platform::kind;
use crate::processes;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Seeded;
use crate::stats::Stats;

/// Sites of a full shard.
const SITES: usize = 50;
/// Looks at each state, this far apart.
const LOOKS: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// More than the pools' idle time-out.
const REST: Duration = Duration::from_secs(15);
const MIB: f64 = 1024.0 * 1024.0;
/// Floor and aim, in MB for each site.
const BOUNDS: (f64, f64) = (3.0, 1.0);

/// Memory by kind of unit, in bytes.
type Memory = BTreeMap<String, f64>;

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "idle")?;
    let cores = Cores::shared();
    let mut run = Run::begin("idle", options, cores, scratch.path())?;
    let platform = Platform::start(options, cores, scratch.path()).await?;
    measure(options, &platform, &mut run).await?;
    Ok(run)
}

async fn measure(options: &Options, platform: &Platform, run: &mut Run) -> anyhow::Result<()> {
    let sites = options.samples(SITES, 4);
    let looks = options.samples(LOOKS, 2);
    platform.settle(Duration::from_secs(2), Duration::from_secs(60)).await?;
    let before = look(platform, looks).await?;
    let shared_before = machine::shared_memory();
    let mut seeded = Seeded::new(options.seed);
    for number in 0..sites {
        let name = seeded.name("idle");
        platform.create(&name, Tier::Bronze).await?;
        let target = platform.home_page(&name);
        let mut connection = Connection::open(target.address).await?;
        for _ in 0..3 {
            connection.expect(&target).await?;
        }
        if (number + 1) % 10 == 0 {
            eprintln!("  {} of {sites} sites", number + 1);
        }
    }
    tokio::time::sleep(REST).await;
    platform.settle(Duration::from_secs(2), Duration::from_secs(60)).await?;
    let after = look(platform, looks).await?;
    let shared = machine::shared_memory() - shared_before;

    let total = |memory: &Memory| memory.values().sum::<f64>();
    let none = total(&middle(&before));
    let per_site: Vec<f64> =
        after.iter().map(|memory| (total(memory) - none) / 1e6 / sites as f64).collect();
    run.method(format!(
        "PSS by smaps_rollup of the supervisor and all that descend from it (2 shards); {sites} bronze sites, each page read three times, then {} s of rest; minus the same platform before its first site and page (so that PHP's opcode cache and the database's buffers count as the sites')",
        REST.as_secs()
    ));
    let mut row = Row::new("site", "an idle site", "MB", Better::Lower, Stats::of(&per_site))
        .bounds(BOUNDS.0, Some(BOUNDS.1));
    let (with, without) = (middle(&after), middle(&before));
    for (kind, bytes) in &with {
        let more = bytes - without.get(kind).copied().unwrap_or_default();
        row = row.detail(format!("{kind}: more by, MB"), more / 1e6);
    }
    // Mostly opcodes, once for all sites; PSS counts what living processes have mapped in.
    row = row.detail("(shared memory of the machine: more by, MB)", shared / 1e6);
    run.rows.push(row);
    let totals = |memory: &[Memory]| {
        let values: Vec<f64> = memory.iter().map(|one| total(one) / MIB).collect();
        Stats::of(&values)
    };
    let without_any = totals(&before);
    let mut row = Row::new(
        "total",
        &format!("all processes, {sites} idle sites"),
        "MiB",
        Better::Lower,
        totals(&after),
    )
    .beside("the same without a site", without_any.median, without_any);
    for (kind, bytes) in &with {
        row = row.detail(format!("{kind}, MiB"), bytes / MIB);
    }
    run.rows.push(row);
    Ok(())
}

async fn look(platform: &Platform, looks: usize) -> anyhow::Result<Vec<Memory>> {
    let mut all = Vec::new();
    for _ in 0..looks {
        let snapshot = platform.snapshot().await?;
        let mut memory = Memory::new();
        let mut of_units = 0.0;
        for unit in &snapshot.units {
            let Some(pid) = unit.pid else { continue };
            for process in processes::tree(pid)? {
                let bytes = processes::pss(process.pid)? as f64;
                of_units += bytes;
                *memory.entry(kind(&unit.name)).or_default() += bytes;
            }
        }
        let mut everything = 0.0;
        for process in processes::tree(snapshot.pid)? {
            everything += processes::pss(process.pid)? as f64;
        }
        memory.insert("supervisor".to_owned(), (everything - of_units).max(0.0));
        all.push(memory);
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(all)
}

/// The median of each kind.
fn middle(looks: &[Memory]) -> Memory {
    let mut kinds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for memory in looks {
        for (kind, bytes) in memory {
            kinds.entry(kind.clone()).or_default().push(*bytes);
        }
    }
    kinds.into_iter().map(|(kind, values)| (kind, Stats::of(&values).median)).collect()
}
