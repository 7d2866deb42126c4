//! What a site that takes all it can get does to its neighbours: the p99 of all others' pages while
//! it attacks, beside the same on the same shard while everybody is quiet.
//!
//! One shard of fifty sites: forty-nine neighbours are asked in turn, the fiftieth is the culprit.

mod culprit;
mod neighbours;

use std::collections::BTreeMap;
use std::time::Duration;

use aipress_types::Tier;
use anyhow::Context;

use self::culprit::Attack;
use self::culprit::Culprit;
use self::culprit::VISITORS;
use self::neighbours::Answers;
use self::neighbours::ask;
use crate::args::Options;
use crate::client::Connection;
use crate::client::Target;
use crate::cores::Cores;
use crate::platform::Platform;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Seeded;
use crate::stats::Stats;

/// Neighbours: a full shard with the culprit.
const NEIGHBOURS: usize = 49;
/// Requests a second, of all neighbours together.
const RATE: f64 = 15.0;
/// Of so many requests one is for a file.
const ONE_FILE_IN: usize = 3;
/// An attack.
const ATTACK: Duration = Duration::from_secs(45);
/// Quiet, before each attack: as much in all as is needed for a p99 that one odd moment does not make.
const QUIET: Duration = Duration::from_secs(30);
/// From the beginning of an attack until it counts: the platform has seen it, and what it does
/// about it is in force. What neighbours have until then is told beside.
const BEGUN: Duration = Duration::from_secs(7);
/// The most that p99 may grow.
const FLOOR: f64 = 1.5;
/// Nice value of the client: that it waits for a core is not the neighbours' latency.
const CLIENT_NICE: i32 = -15;
/// A file of WordPress, and what stands in it.
const FILE: (&str, &str) = ("/wp-includes/js/jquery/jquery.min.js", "jQuery");

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    anyhow::ensure!(
        rustix::process::geteuid().is_root(),
        "only root can hold a site to its share of the machine"
    );
    let scratch = Scratch::make(&options.scratch, "noise")?;
    let cores = Cores::shared();
    let mut run = Run::begin("noise", options, cores, scratch.path())?;
    let platform = Platform::start_with(options, cores, scratch.path(), &[], 1).await?;
    let bench = Bench::make(options, &platform).await?;
    let before = rustix::process::getpriority_process(None)?;
    rustix::process::setpriority_process(None, CLIENT_NICE)?;
    let measured = bench.measure(&mut run).await;
    rustix::process::setpriority_process(None, before)?;
    measured.map(|()| run)
}

struct Bench<'a> {
    platform: &'a Platform,
    /// Page and file of each neighbour.
    targets: Vec<(Target, Target)>,
    culprit: Culprit,
    attack: Duration,
    quiet: Duration,
}

/// One attack.
struct Attacked {
    attack: Attack,
    /// Before the platform had done anything about it.
    at_first: Answers,
    answers: Answers,
    cpu_s: BTreeMap<String, f64>,
    told: String,
}

impl<'a> Bench<'a> {
    async fn make(options: &Options, platform: &'a Platform) -> anyhow::Result<Self> {
        let neighbours = options.samples(NEIGHBOURS, 9);
        eprintln!("  {} sites", neighbours + 1);
        let mut seeded = Seeded::new(options.seed);
        let mut targets = Vec::new();
        for _ in 0..neighbours {
            let name = seeded.name("quiet");
            platform.create(&name, Tier::Bronze).await?;
            let page = platform.home_page(&name);
            let (path, mark) = (FILE.0.to_owned(), FILE.1.to_owned());
            let file = Target { path, mark, ..page.clone() };
            let mut connection = Connection::open(page.address).await?;
            for _ in 0..2 {
                connection.expect(&page).await?;
                connection.expect(&file).await?;
            }
            targets.push((page, file));
        }
        let tenant = platform.create(&seeded.name("culprit"), Tier::Bronze).await?;
        let culprit = Culprit::of(platform, &tenant)?;
        let seconds = |full: Duration, quick| if options.quick { quick } else { full };
        Ok(Self {
            platform,
            targets,
            culprit,
            attack: seconds(ATTACK, Duration::from_secs(15)),
            quiet: seconds(QUIET, Duration::from_secs(10)),
        })
    }

    async fn measure(&self, run: &mut Run) -> anyhow::Result<()> {
        // Workers of all neighbours are up, as they stay while they are asked.
        self.ask(Duration::from_secs_f64(self.targets.len() as f64 / RATE)).await?;
        let groups = self.culprit.groups().await?;
        let before = self.platform.cpu_s().await?;
        let mut quiet = self.ask(self.quiet).await?;
        let quiet_cpu_s: f64 = spent(&before, &self.platform.cpu_s().await?).values().sum();
        let quiet_load = quiet_cpu_s / self.quiet.as_secs_f64() / run.machine.cores as f64;
        let mut all = Vec::new();
        for (number, attack) in Attack::ALL.into_iter().enumerate() {
            eprintln!("  {}", attack.title());
            if number > 0 {
                quiet.add(self.ask(self.quiet).await?);
            }
            all.push(self.under(attack).await?);
        }
        self.conditions(run, &groups, quiet_load, &all);
        for (what, values) in [("page", &quiet.page), ("file", &quiet.file)] {
            let of = Stats::of(values);
            let title = format!("p99 of a quiet neighbour's {what}, everybody quiet");
            let row = Row::new(&format!("quiet-{what}"), &title, "ms", Better::Lower, of.clone());
            run.rows.push(row.value(of.quantile(0.99)).detail("wrong answers", quiet.wrong as f64));
        }
        for attacked in &all {
            run.rows.push(attacked.row("page", &quiet.page, &attacked.answers.page));
            run.rows.push(attacked.row("file", &quiet.file, &attacked.answers.file));
        }
        Ok(())
    }

    async fn ask(&self, time: Duration) -> anyhow::Result<Answers> {
        ask(&self.targets, RATE, time, ONE_FILE_IN).await
    }

    async fn under(&self, attack: Attack) -> anyhow::Result<Attacked> {
        let measured = async {
            let at_first = self.ask(BEGUN).await?;
            let before = self.platform.cpu_s().await?;
            let answers = self.ask(self.attack).await?;
            let cpu_s = spent(&before, &self.platform.cpu_s().await?);
            let tenant = self.platform.api.tenant_fetch(&self.culprit.name).await?;
            anyhow::Ok((at_first, answers, cpu_s, tenant.message.unwrap_or_default()))
        };
        let (at_first, answers, cpu_s, told) = tokio::select! {
            measured = measured => measured?,
            ended = self.culprit.attack(attack) => {
                ended.context("attack")?;
                anyhow::bail!("the attack ended by itself");
            }
        };
        self.culprit.clean_up().await?;
        self.platform.settle(Duration::from_secs(1), Duration::from_secs(10)).await?;
        Ok(Attacked { attack, at_first, answers, cpu_s, told })
    }

    fn conditions(&self, run: &mut Run, groups: &[String], quiet_load: f64, all: &[Attacked]) {
        let held = match groups {
            [] => "no control groups: priority and rlimits only".to_owned(),
            [one] => format!("control groups version 2: {one}"),
            several => format!("control groups version 1, {} trees", several.len()),
        };
        run.method(held);
        run.method(format!(
            "one shard of {} bronze sites; all but the culprit are asked in turn in an open loop: {RATE} requests a second, one of {ONE_FILE_IN} for a file, the others for the home page, uncached; that takes {:.0} % of the CPU of all cores",
            self.targets.len() + 1,
            quiet_load * 100.0,
        ));
        run.method(format!(
            "quiet: {} s before each attack; an attack: {} s, after {} s in which the platform may notice it (told apart), {VISITORS} requests at once to the culprit, whose PHP takes all that it gets (the fork bomb: native code in a worker's place); the client has nice {CLIENT_NICE}",
            self.quiet.as_secs(),
            self.attack.as_secs(),
            BEGUN.as_secs(),
        ));
        for one in all {
            let complaint = one.answers.complaint.as_deref();
            run.method(format!(
                "{}: the culprit was told “{}”{}",
                one.attack.title(),
                one.told,
                complaint.map(|words| format!("; a neighbour got: {words}")).unwrap_or_default()
            ));
        }
    }
}

impl Attacked {
    /// The noisy p99 in quiet ones.
    fn row(&self, what: &str, quiet: &[f64], noisy: &[f64]) -> Row {
        let first = if what == "page" { &self.at_first.page } else { &self.at_first.file };
        let (first, quiet, noisy) = (Stats::of(first), Stats::of(quiet), Stats::of(noisy));
        let unit = quiet.quantile(0.99).max(0.001);
        let ratios: Vec<f64> = noisy.values.iter().map(|value| value / unit).collect();
        let id = format!("{}-{what}", self.attack.id());
        let title = format!("{}: p99 of a neighbour's {what} / the quiet one", self.attack.title());
        let mut row = Row::new(&id, &title, "×", Better::Lower, Stats::of(&ratios))
            .value(noisy.quantile(0.99) / unit)
            .bounds(FLOOR, None)
            .detail("p50, ms", noisy.median)
            .detail("p50 quiet, ms", quiet.median)
            .detail("p99, ms", noisy.quantile(0.99))
            .detail("p99 quiet, ms", quiet.quantile(0.99))
            .detail(format!("p50 of the first {} s, ms", BEGUN.as_secs()), first.median)
            .detail(format!("slowest of the first {} s, ms", BEGUN.as_secs()), first.max)
            .detail(
                "wrong answers, page and file",
                (self.at_first.wrong + self.answers.wrong) as f64,
            );
        for (kind, seconds) in &self.cpu_s {
            row = row.detail(format!("CPU of {kind}, s"), *seconds);
        }
        row
    }
}

fn spent(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let more = |kind: &String, seconds: &f64| seconds - before.get(kind).copied().unwrap_or(0.0);
    after.iter().map(|(kind, seconds)| (kind.clone(), more(kind, seconds))).collect()
}
