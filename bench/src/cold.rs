//! The first request to a site that has no PHP process, beside the same site's next request.
//!
//! Every site rests for longer than its pool's idle time-out before it is asked, and nobody else
//! is asked within the opcode cache's revalidation (2 s) before: the worst that a visitor meets.

use std::time::Duration;

use aipress_api::tenant::TenantView;
use aipress_types::Tier;
use anyhow::Context;
use anyhow::ensure;

use crate::args::Options;
use crate::client::Connection;
use crate::client::Target;
use crate::cores;
use crate::cores::Cores;
use crate::platform::Platform;
use crate::processes;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Seeded;
use crate::stats::Stats;

/// More than the pools' idle time-out (10 s) and the master's look at it (1 s).
const REST: Duration = Duration::from_secs(13);
/// More than the opcode cache's revalidation.
const APART: Duration = Duration::from_millis(2_500);
/// The floor: this many times a warm page.
const FLOOR: f64 = 2.0;

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "cold")?;
    let cores = Cores::apart()?;
    let mut run = Run::begin("cold", options, cores, scratch.path())?;
    let platform = Platform::start(options, cores, scratch.path()).await?;
    let result = measure(options, &platform, &mut run).await;
    drop(platform);
    cores::release();
    result.map(|()| run)
}

async fn measure(options: &Options, platform: &Platform, run: &mut Run) -> anyhow::Result<()> {
    let mut seeded = Seeded::new(options.seed);
    let count = options.samples(40, 3);
    let mut targets = Vec::new();
    for _ in 0..count {
        let name = seeded.name("cold");
        let tenant = platform.create(&name, Tier::Bronze).await?;
        targets.push((tenant, platform.home_page(&name)));
    }
    // The object cache is filled and settled, the opcode cache has everything.
    for (_, target) in &targets {
        let mut connection = Connection::open(target.address).await?;
        for _ in 0..3 {
            connection.expect(target).await?;
        }
    }
    eprintln!("  {count} sites rest for {} s", REST.as_secs());
    tokio::time::sleep(REST).await;
    let (mut cold, mut warm, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for (tenant, target) in &targets {
        ensure!(workers(platform, tenant).await? == 0, "{} has a PHP process", tenant.name);
        let first = timed(target).await?;
        let next = Stats::of(&[timed(target).await?, timed(target).await?, timed(target).await?]);
        cold.push(first);
        warm.push(next.median);
        ratios.push(first / next.median);
        tokio::time::sleep(APART).await;
    }
    let (cold, warm) = (Stats::of(&cold), Stats::of(&warm));
    run.method("bronze sites, 2 shards; each site's first request after 13 s of rest and with no PHP process of its own, then three more: the warm page is the median of these");
    run.method("a connection for each request, made before the clock starts");
    run.rows.push(
        Row::new("ratio", "first request / warm page", "×", Better::Lower, Stats::of(&ratios))
            .value(cold.median / warm.median)
            .bounds(FLOOR, None),
    );
    run.rows.push(
        Row::new("first", "first request, no PHP process", "ms", Better::Lower, cold).beside(
            "warm uncached page of the same site",
            warm.median,
            warm,
        ),
    );
    Ok(())
}

/// PHP processes of a site's pool.
async fn workers(platform: &Platform, tenant: &TenantView) -> anyhow::Result<usize> {
    let supervisor = platform.snapshot().await?.pid;
    let slot = tenant.slot.context("the site has no slot")?;
    let shard = tenant.shard.as_deref().context("the site has no shard")?;
    let pool = format!("php-fpm: pool {shard}-{slot:02}-");
    let processes = processes::tree(supervisor)?;
    Ok(processes.iter().filter(|process| process.title.starts_with(&pool)).count())
}

async fn timed(target: &Target) -> anyhow::Result<f64> {
    let mut connection = Connection::open(target.address).await?;
    let began = std::time::Instant::now();
    connection.expect(target).await?;
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}
