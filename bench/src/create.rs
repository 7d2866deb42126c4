//! From `POST /v1/tenants` to the home page with the right title.
//!
//! In a burst: four at once after a rest, when what is prepared in advance is there. Sustained:
//! two after each other without a pause, when it is used up. Beside it WordPress's own installer,
//! by PHP, in a fresh database of the same server.

mod cost;
mod installer;
mod one;

use std::path::Path;
use std::time::Duration;

use aipress_types::Tier;
use anyhow::Context;

use self::cost::Cost;
use self::installer::Installer;
use self::one::Parts;
use crate::args::Options;
use crate::cores::Cores;
use crate::peer::Site;
use crate::platform::Platform;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Seeded;
use crate::stats::Stats;

/// Creations of each set.
const CREATIONS: usize = 200;
/// Blocks of burst, sustained and installer, so that whatever drifts meets all.
const BLOCKS: usize = 5;
/// At once in a burst.
const BURST: usize = 4;
/// At once when sustained.
const SUSTAINED: usize = 2;
/// Creations that use up what is prepared: more than both shards' spares.
const USING_UP: usize = 12;
/// Installations by WordPress's own installer in a block.
const INSTALLATIONS: usize = 6;
/// Quiet for this long means that nothing is being prepared any more.
const QUIET: Duration = Duration::from_millis(600);
const QUIET_LIMIT: Duration = Duration::from_secs(20);

/// Floors and aims, in milliseconds.
const P50: (f64, f64) = (300.0, 150.0);
const P99: (f64, f64) = (1_000.0, 500.0);

/// What was measured.
#[derive(Default)]
struct Measured {
    burst: Vec<Parts>,
    sustained: Vec<Parts>,
    burst_cost: Cost,
    refill_cost: Cost,
    sustained_cost: Cost,
    installed_ms: Vec<f64>,
    installed_page_ms: Vec<f64>,
}

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "create")?;
    let cores = Cores::shared();
    let mut run = Run::begin("create", options, cores, scratch.path())?;
    let platform = Platform::start(options, cores, scratch.path()).await?;
    measure(options, cores, scratch.path(), &platform, &mut run).await?;
    Ok(run)
}

async fn measure(
    options: &Options,
    cores: Cores,
    scratch: &Path,
    platform: &Platform,
    run: &mut Run,
) -> anyhow::Result<()> {
    let mut seeded = Seeded::new(options.seed);
    // The first creations find everything cold: PHP's opcode cache, the template.
    let first = seeded.name("first");
    let tenant = platform.create(&first, Tier::Bronze).await?;
    run.versions
        .insert("wordpress".to_owned(), tenant.wordpress_version.clone().unwrap_or_default());
    let site = Site::look(platform, &tenant).await?;
    let mut installer = Installer::start(&site, cores, scratch).await?;
    for _ in 0..BURST {
        one::create(platform, &seeded.name("warm")).await?;
    }
    let blocks = options.samples(BLOCKS, 1);
    let each = options.samples(CREATIONS / BLOCKS, 8);
    let mut measured = Measured::default();
    for block in 0..blocks {
        bursts(platform, &mut seeded, each, &mut measured).await?;
        sustained(platform, &mut seeded, each, &mut measured).await?;
        platform.settle(QUIET, QUIET_LIMIT).await?;
        for _ in 0..options.samples(INSTALLATIONS, 2) {
            let (installed, page) = installer.install(&mut seeded).await?;
            measured.installed_ms.push(installed);
            measured.installed_page_ms.push(page);
        }
        eprintln!("  block {} of {blocks}", block + 1);
    }
    describe(run);
    figures(&measured, run);
    Ok(())
}

fn describe(run: &mut Run) {
    run.method("the clock starts before POST /v1/tenants is sent (a new TCP connection); the client follows the operation's server-sent events to its end, then asks for the home page on a new connection until it is there with the new title, and stops at its last byte");
    run.method(format!(
        "burst: {BURST} at once on a platform at rest (2 shards, bronze), then rest until nothing is prepared any more (counted as refill), then deletion of the {BURST}, then rest"
    ));
    run.method(format!(
        "sustained: {SUSTAINED} at once, each creation followed at once by the next, each site deleted as soon as it was seen; the first {USING_UP} use up what is prepared and do not count"
    ));
    run.method("WordPress's own installer: POST /wp-admin/install.php?step=2 of a plain WordPress behind nginx and php-fpm (opcode cache warm) into a fresh database of the same MariaDB (durable: innodb_flush_log_at_trx_commit=1, sync_binlog=1); CREATE DATABASE is not counted; then its first home page");
}

/// Bursts until there are `count` more samples.
async fn bursts(
    platform: &Platform,
    seeded: &mut Seeded,
    count: usize,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    platform.settle(QUIET, QUIET_LIMIT).await?;
    for _ in 0..count / BURST {
        let names: Vec<String> = (0..BURST).map(|_| seeded.name("burst")).collect();
        let start = cost::look(platform).await?;
        let parts = one::create_at_once(platform, &names).await?;
        let made = cost::look(platform).await?;
        platform.settle(QUIET, QUIET_LIMIT).await?;
        let refilled = cost::look(platform).await?;
        measured.burst.extend(parts);
        measured.burst_cost.add(&start, &made, BURST);
        measured.refill_cost.add(&made, &refilled, BURST);
        for name in &names {
            platform.delete(name).await?;
        }
        platform.settle(QUIET, QUIET_LIMIT).await?;
    }
    Ok(())
}

/// Creations without a pause until there are `count` more samples.
async fn sustained(
    platform: &Platform,
    seeded: &mut Seeded,
    count: usize,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let rounds = |samples: usize| samples.div_ceil(SUSTAINED);
    let mut start = None;
    for round in 0..rounds(USING_UP) + rounds(count) {
        let counts = round >= rounds(USING_UP);
        if counts && start.is_none() {
            start = Some(cost::look(platform).await?);
        }
        let names: Vec<String> = (0..SUSTAINED).map(|_| seeded.name("sustained")).collect();
        let parts = one::create_at_once(platform, &names).await?;
        if counts {
            measured.sustained.extend(parts);
        }
        for name in &names {
            // Not waited for: the next creation comes at once.
            platform.api.tenant_delete(name).await?;
        }
    }
    let end = cost::look(platform).await?;
    let start = start.context("nothing was measured")?;
    measured.sustained_cost.add(&start, &end, rounds(count) * SUSTAINED);
    Ok(())
}

fn figures(measured: &Measured, run: &mut Run) {
    let installer: Vec<f64> = measured
        .installed_ms
        .iter()
        .zip(&measured.installed_page_ms)
        .map(|(installed, page)| installed + page)
        .collect();
    let installer = Stats::of(&installer);
    for (id, title, parts, cost) in [
        ("burst", "burst of 4", &measured.burst, &measured.burst_cost),
        ("sustained", "sustained", &measured.sustained, &measured.sustained_cost),
    ] {
        let of = |part: fn(&Parts) -> f64| Stats::of(&parts.iter().map(part).collect::<Vec<_>>());
        let all = of(|parts| parts.total_ms);
        let peer = "WordPress's installer and its first page";
        let mut row = Row::new(
            &format!("{id}-p50"),
            &format!("{title}: POST to home page, p50"),
            "ms",
            Better::Lower,
            all.clone(),
        )
        .bounds(P50.0, Some(P50.1))
        .beside(peer, installer.median, installer.clone())
        .detail("of it: POST to 202, ms", of(|parts| parts.accepted_ms).median)
        .detail("of it: 202 to the operation's end, ms", of(|parts| parts.operation_ms).median)
        .detail("of it: home page, ms", of(|parts| parts.page_ms).median)
        .detail("pages asked for until right", of(|parts| parts.tries).median);
        if !measured.installed_ms.is_empty() {
            let installed = Stats::of(&measured.installed_ms).median;
            row = row.detail("WordPress's installer without its first page, ms", installed);
        }
        if let Some(slowest) = parts.iter().max_by(|a, b| a.total_ms.total_cmp(&b.total_ms)) {
            row = row
                .detail("the slowest: POST to 202, ms", slowest.accepted_ms)
                .detail("the slowest: 202 to the operation's end, ms", slowest.operation_ms)
                .detail("the slowest: home page, ms", slowest.page_ms);
        }
        for (kind, each) in cost.each_ms() {
            row = row.detail(format!("{kind}, CPU ms a creation"), each);
        }
        run.rows.push(row);
        let p99 = all.quantile(0.99);
        run.rows.push(
            Row::new(
                &format!("{id}-p99"),
                &format!("{title}: POST to home page, p99"),
                "ms",
                Better::Lower,
                all,
            )
            .value(p99)
            .bounds(P99.0, Some(P99.1)),
        );
    }
    let per_spare = measured.refill_cost.of(&["mariadb", "shard"]);
    let mut row = Row::new(
        "refill",
        "refill after a burst: CPU of MariaDB and shard for each creation",
        "ms",
        Better::Lower,
        Stats::of(&per_spare),
    );
    row = row.detail("time until at rest, ms for each creation", measured.refill_cost.wall_ms());
    run.rows.push(row);
}
