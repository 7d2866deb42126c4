//! Scheduled events: how late a post appears that 50 sites have each scheduled, one after the other
//! and all in one second; and how many PHP processes idle sites have in between.

use std::time::Duration;

use aipress_api::client::ListQuery;
use aipress_types::Tier;
use anyhow::Context;
use anyhow::bail;
use futures_util::StreamExt;
use futures_util::TryStreamExt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::args::Options;
use crate::cores::Cores;
use crate::platform::Platform;
use crate::platform::run_quiet;
use crate::processes;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Seeded;
use crate::stats::Stats;

/// Sites of a full shard.
const SITES: usize = 50;
/// WordPress publishes at once what is less than a minute ahead (`wp_insert_post`).
const AHEAD_S: i64 = 62;
/// Time to schedule all posts.
const SCHEDULING_S: i64 = 50;
/// Between the last of one row and the other row.
const APART_S: i64 = 12;
/// Posts that are scheduled at once.
const AT_ONCE: usize = 4;
/// Looks for PHP processes, a second apart, before the first post is due.
const LOOKS: usize = 10;
/// Time for all to appear.
const PATIENCE: Duration = Duration::from_secs(60);
/// A post may appear so late, in seconds, and should (floor, aim).
const BOUNDS: (f64, f64) = (5.0, 2.0);

/// A site and when its posts are due, in seconds since 1970.
struct Site {
    name: String,
    alone: i64,
    together: i64,
}

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "cron")?;
    let cores = Cores::shared();
    let mut run = Run::begin("cron", options, cores, scratch.path())?;
    let platform = Platform::start(options, cores, scratch.path()).await?;
    measure(options, &platform, &mut run).await?;
    Ok(run)
}

async fn measure(options: &Options, platform: &Platform, run: &mut Run) -> anyhow::Result<()> {
    let count = options.samples(SITES, 4);
    let mut seeded = Seeded::new(options.seed);
    let mut names = Vec::new();
    for number in 0..count {
        let name = seeded.name("cron");
        platform.create(&name, Tier::Bronze).await?;
        names.push(name);
        if (number + 1) % 10 == 0 {
            eprintln!("  {} of {count} sites", number + 1);
        }
    }
    let sites = schedule(platform, names).await?;
    let first = sites.first().context("no site")?.alone;
    sleep_until(first - 2 - i64::try_from(LOOKS)?).await;
    let mut php = Vec::new();
    for _ in 0..LOOKS {
        php.push(workers(platform).await? as f64);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let last = sites.first().context("no site")?.together;
    eprintln!("  waiting for {} posts", 2 * count);
    sleep_until(last).await;
    let (mut alone, mut together, mut wakes) = (Vec::new(), Vec::new(), 0);
    for site in &sites {
        let times = published(platform, site).await?;
        alone.push(times.0 - site.alone as f64);
        together.push(times.1 - site.together as f64);
        wakes += platform
            .api
            .tenant_cron(&site.name)
            .await?
            .wakes
            .iter()
            .map(|day| day.count)
            .sum::<u32>();
    }
    run.method(format!(
        "{count} bronze sites without a visitor; a post each, due a second after the other's, and one each, all due in the same second; late is from then to the line that the run of the site's events writes to its log at its end"
    ));
    for (id, title, late) in [
        ("alone", "a scheduled post is late by at most, one site a second", &alone),
        ("together", "the same, all sites in one second", &together),
    ] {
        let stats = Stats::of(late);
        let (most, median) = (stats.max, stats.median);
        let nine = stats.quantile(0.9);
        run.rows.push(
            Row::new(id, title, "s", Better::Lower, stats)
                .value(most)
                .bounds(BOUNDS.0, Some(BOUNDS.1))
                .detail("median, s", median)
                .detail("90th percentile, s", nine),
        );
    }
    let stats = Stats::of(&php);
    let most = stats.max;
    run.rows.push(
        Row::new("php", "PHP processes of idle sites, in all", "", Better::Lower, stats)
            .value(most)
            .bounds(0.0, None)
            .detail(
                "wakes of a site, its first and both posts' included",
                f64::from(wakes) / count as f64,
            ),
    );
    Ok(())
}

/// Schedules two posts at each site.
async fn schedule(platform: &Platform, names: Vec<String>) -> anyhow::Result<Vec<Site>> {
    let count = i64::try_from(names.len())?;
    let base = now_s() + AHEAD_S + SCHEDULING_S;
    let sites = names.into_iter().zip(0..).map(|(name, number)| Site {
        name,
        alone: base + number,
        together: base + count + APART_S,
    });
    let sites: Vec<Site> = sites.collect();
    let posts =
        sites.iter().flat_map(|site| [(&site.name, site.alone), (&site.name, site.together)]);
    futures_util::stream::iter(posts)
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, async |(name, due)| post(platform, name, due).await)
        .await?;
    Ok(sites)
}

async fn post(platform: &Platform, name: &str, due: i64) -> anyhow::Result<()> {
    let at = OffsetDateTime::from_unix_timestamp(due)?;
    let date = format!("{} {:02}:{:02}:{:02}", at.date(), at.hour(), at.minute(), at.second());
    let mut command = platform.command();
    command.args(["tenant", "wp", name, "--", "post", "create", "--post_title=Bread"]);
    command.args(["--post_status=future".to_owned(), format!("--post_date={date}")]);
    command.arg(format!("--post_date_gmt={date}"));
    run_quiet(command).await?;
    if due - now_s() < 60 {
        bail!("this machine schedules posts too slowly: the figures would mean nothing");
    }
    Ok(())
}

/// When a site's two posts were published, in seconds since 1970.
async fn published(platform: &Platform, site: &Site) -> anyhow::Result<(f64, f64)> {
    let deadline = std::time::Instant::now() + PATIENCE;
    let query = ListQuery::default().with("source", Some("cron")).with("limit", Some(500));
    loop {
        let lines = platform.api.tenant_logs(&site.name, &query).await?.items;
        let lines = lines.iter().filter(|line| line.message.contains("publish_future_post"));
        let mut times = lines
            .map(|line| Ok(OffsetDateTime::parse(&line.time, &Rfc3339)?.unix_timestamp_nanos()))
            .collect::<anyhow::Result<Vec<i128>>>()?;
        times.sort_unstable();
        match times[..] {
            [alone, together] => return Ok((alone as f64 / 1e9, together as f64 / 1e9)),
            _ if std::time::Instant::now() > deadline => {
                bail!("{} of 2 posts of {} appeared in time", times.len(), site.name)
            }
            _ => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

/// PHP processes that serve sites.
async fn workers(platform: &Platform) -> anyhow::Result<usize> {
    let all = processes::tree(platform.snapshot().await?.pid)?;
    Ok(all.iter().filter(|process| process.title.contains("php-fpm: pool")).count())
}

fn now_s() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

async fn sleep_until(at: i64) {
    let wait = u64::try_from(at - now_s()).unwrap_or_default();
    tokio::time::sleep(Duration::from_secs(wait)).await;
}
