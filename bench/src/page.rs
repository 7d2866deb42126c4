//! The uncached home page through edge and gateway, beside nginx and php-fpm.
//!
//! Two peers: `same` has the settings, the data and the object cache of the site (the ratio is
//! what edge and gateway cost), `stock` is WordPress as its handbook and Debian have it (the ratio
//! is what the platform as a whole is worth).

use std::collections::BTreeMap;
use std::time::Duration;

use aipress_types::Tier;
use anyhow::Context;
use anyhow::ensure;

use crate::args::Options;
use crate::client::Connection;
use crate::client::Target;
use crate::client::open_loop;
use crate::client::saturate;
use crate::cores;
use crate::cores::Cores;
use crate::peer::Peer;
use crate::peer::Site;
use crate::platform::Platform;
use crate::processes;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Seeded;
use crate::stats::Stats;

/// Connections of the closed loop; as many PHP workers on both sides.
const CONNECTIONS: usize = 8;
/// Alternations (`measuring.md`: at least 5).
const ALTERNATIONS: usize = 7;
const WARM: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(8);
const QUICK_WINDOW: Duration = Duration::from_secs(2);

/// One comparison.
struct Pair<'a> {
    platform: &'a Platform,
    peer: &'a Peer,
    ours: Target,
    theirs: Target,
    options: &'a Options,
}

/// CPU seconds by process, and requests that they were spent on.
#[derive(Default)]
struct Spent {
    cpu: BTreeMap<String, f64>,
    requests: f64,
}

/// What a comparison brought.
#[derive(Default)]
struct Rates {
    ours: Vec<f64>,
    theirs: Vec<f64>,
    ours_spent: Spent,
    theirs_spent: Spent,
}

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "page")?;
    let cores = Cores::apart()?;
    let mut run = Run::begin("page", options, cores, scratch.path())?;
    let platform = Platform::start(options, cores, scratch.path()).await?;
    let result = measure(options, cores, &scratch, &platform, &mut run).await;
    drop(platform);
    cores::release();
    result.map(|()| run)
}

async fn measure(
    options: &Options,
    cores: Cores,
    scratch: &Scratch,
    platform: &Platform,
    run: &mut Run,
) -> anyhow::Result<()> {
    let name = Seeded::new(options.seed).name("page");
    // Silver: as many workers at once as there are connections.
    let tenant = platform.create(&name, Tier::Silver).await?;
    let version = tenant.wordpress_version.clone().unwrap_or_default();
    run.versions.insert("wordpress".to_owned(), version);
    let site = Site::look(platform, &tenant).await?;
    let workers = Tier::Silver.limits().max_workers;
    let ours = platform.home_page(&name);

    run.method(format!(
        "home page of a new silver site without any page cache; {CONNECTIONS} connections, {workers} PHP workers on both sides; access logs on"
    ));
    run.method("same: nginx and a php-fpm of its own (static pool) with the site's php.ini, pool settings, Unix user, core, PHP side, database and Redis");
    run.method("stock: nginx and php-fpm with Debian's php.ini, a copy of the core with its own wp-config.php, the same database, no object cache, no open_basedir, cron trigger off");
    run.method("saturation: closed loop, median over alternations; latency: open loop at 50 % and 80 % of the slower one's maximum, counted from when a request was due");

    let peer = Peer::same(&site, workers, cores, scratch.path()).await?;
    overhead(&peer, options, run).await?;
    let theirs = Target { address: peer.address, ..ours.clone() };
    let pair = Pair { platform, peer: &peer, ours: ours.clone(), theirs, options };
    pair.compare("same", "nginx + php-fpm, same settings", (0.97, None), run).await?;
    drop(peer);

    let peer = Peer::stock(&site, &site.database(), workers, cores, scratch.path()).await?;
    let theirs = Target { address: peer.address, ..ours.clone() };
    let pair = Pair { platform, peer: &peer, ours, theirs, options };
    pair.compare("stock", "nginx + php-fpm, stock WordPress", (0.97, Some(1.15)), run).await
}

/// What the client itself costs: the same loop against an answer that costs nginx next to nothing.
async fn overhead(peer: &Peer, options: &Options, run: &mut Run) -> anyhow::Result<()> {
    let target = Target {
        address: peer.address,
        host: "localhost".to_owned(),
        path: "/aipress-bench-ceiling".to_owned(),
        mark: "ceiling".to_owned(),
    };
    let mut rates = Vec::new();
    for _ in 0..options.samples(5, 2) {
        rates.push(saturate(&target, CONNECTIONS, WARM / 5, WARM).await?);
    }
    let row = Row::new(
        "client",
        "client's own ceiling (nginx, `return 200`)",
        "requests/s",
        Better::Higher,
        Stats::of(&rates),
    );
    run.rows.push(row);
    Ok(())
}

impl Pair<'_> {
    async fn compare(
        &self,
        id: &str,
        peer_name: &str,
        (floor, aim): (f64, Option<f64>),
        run: &mut Run,
    ) -> anyhow::Result<()> {
        self.warm_up().await?;
        let rates = self.rates().await?;
        let ratios: Vec<f64> =
            rates.ours.iter().zip(&rates.theirs).map(|(ours, theirs)| ours / theirs).collect();
        let title = format!("home page: requests/s beside {peer_name}");
        run.rows.push(
            Row::new(&format!("{id}-ratio"), &title, "×", Better::Higher, Stats::of(&ratios))
                .bounds(floor, aim),
        );
        let (ours, theirs) = (Stats::of(&rates.ours), Stats::of(&rates.theirs));
        let slower = ours.median.min(theirs.median);
        let mut row = Row::new(
            &format!("{id}-rate"),
            "  one core saturated",
            "requests/s",
            Better::Higher,
            ours,
        )
        .beside(peer_name, theirs.median, theirs);
        for (whose, spent) in [("ours", &rates.ours_spent), ("peer", &rates.theirs_spent)] {
            for (kind, seconds) in &spent.cpu {
                let each = seconds * 1000.0 / spent.requests.max(1.0);
                if each >= 0.01 {
                    row = row.detail(format!("{whose}: {kind}, CPU ms a page"), each);
                }
            }
        }
        run.rows.push(row);
        for share in [0.5, 0.8] {
            self.latency(id, peer_name, share, slower, run).await?;
        }
        Ok(())
    }

    /// Both answer the same page, and have answered it often.
    async fn warm_up(&self) -> anyhow::Result<()> {
        let mut sizes = Vec::new();
        for target in [&self.ours, &self.theirs] {
            saturate(target, CONNECTIONS, WARM, WARM).await?;
            let mut connection = Connection::open(target.address).await?;
            sizes.push(connection.expect(target).await?.body.len());
        }
        let (ours, theirs) = (sizes[0] as f64, sizes[1] as f64);
        ensure!(
            (ours / theirs - 1.0).abs() < 0.05,
            "the pages differ: {ours} bytes of ours, {theirs} of the peer's"
        );
        Ok(())
    }

    async fn rates(&self) -> anyhow::Result<Rates> {
        let window = if self.options.quick { QUICK_WINDOW } else { WINDOW };
        let mut rates = Rates::default();
        for round in 0..self.options.samples(ALTERNATIONS, 2) {
            // Who is first changes, so that whatever drifts meets both.
            let ours_first = (round as u64 + self.options.seed).is_multiple_of(2);
            for is_ours in [ours_first, !ours_first] {
                let target = if is_ours { &self.ours } else { &self.theirs };
                let before = self.cpu(is_ours).await?;
                let rate = saturate(target, CONNECTIONS, WARM, window).await?;
                let after = self.cpu(is_ours).await?;
                let (all, spent) = if is_ours {
                    (&mut rates.ours, &mut rates.ours_spent)
                } else {
                    (&mut rates.theirs, &mut rates.theirs_spent)
                };
                all.push(rate);
                spent.requests += rate * (WARM + window).as_secs_f64();
                for (kind, seconds) in after {
                    let more = seconds - before.get(&kind).copied().unwrap_or_default();
                    *spent.cpu.entry(kind).or_default() += more;
                }
            }
            let last = rates.ours.last().zip(rates.theirs.last()).context("no rate")?;
            eprintln!("  round {}: {:.2} beside {:.2} requests/s", round + 1, last.0, last.1);
        }
        Ok(rates)
    }

    /// CPU time of those who make the page.
    async fn cpu(&self, is_ours: bool) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut cpu = self.platform.cpu_s().await?;
        if !is_ours {
            cpu.retain(|kind, _| ["mariadb", "redis"].contains(&kind.as_str()));
            cpu.insert("php-fpm".to_owned(), processes::cpu_s(self.peer.fpm.pid())?);
            cpu.insert("nginx".to_owned(), processes::cpu_s(self.peer.nginx.pid())?);
        }
        Ok(cpu)
    }

    async fn latency(
        &self,
        id: &str,
        peer_name: &str,
        share: f64,
        slower: f64,
        run: &mut Run,
    ) -> anyhow::Result<()> {
        let rate = slower * share;
        let count = self.options.samples(80, 20);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..self.options.samples(5, 1) {
            let ours_first = (round as u64 + self.options.seed).is_multiple_of(2);
            for is_ours in [ours_first, !ours_first] {
                let (target, all) =
                    if is_ours { (&self.ours, &mut ours) } else { (&self.theirs, &mut theirs) };
                all.extend(open_loop(target, rate, count).await?);
            }
        }
        let (ours, theirs) = (Stats::of(&ours), Stats::of(&theirs));
        let percent = share * 100.0;
        for (name, quantile) in [("median", 0.5), ("p99", 0.99)] {
            let row = Row::new(
                &format!("{id}-latency-{percent:.0}-{name}"),
                &format!("  latency at {percent:.0} % ({rate:.1}/s), {name}"),
                "ms",
                Better::Lower,
                ours.clone(),
            )
            .value(ours.quantile(quantile))
            .beside(peer_name, theirs.quantile(quantile), theirs.clone());
            run.rows.push(row);
        }
        Ok(())
    }
}
