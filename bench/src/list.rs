//! Lists of 50,000 tenants, filtered and sorted, as the console and the command line ask for them:
//! a real meta over its socket, on a registry that holds as many rows as the platform is made for.

mod registry;

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use aipress_kit::clock::Clock;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::bind_unix;
use aipress_meta::CheckpointConfig;
use aipress_meta::Federation;
use aipress_meta::MasterKey;
use aipress_meta::MetaConfig;
use aipress_meta::PackagesConfig;
use aipress_meta::SiteUrls;
use aipress_meta::StreamLimits;
use aipress_meta::WebhookConfig;
use anyhow::Context;
use bytes::Bytes;
use serde_json::Value;

use self::registry::Callers;
use crate::args::Options;
use crate::cores::Cores;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Seeded;
use crate::stats::Stats;

/// Tenants, of so many accounts, on shards of 50.
const TENANTS: usize = 50_000;
const ACCOUNTS: usize = 50;
/// Lists that are measured, each one page or several.
const LISTS: usize = 2_000;
/// Callers at once: each asks as soon as it has its answer.
const CALLERS: usize = 2;
/// Pages of a list that a caller goes through at most.
const PAGES: u64 = 4;
/// The slowest answer that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// p99 in ms.
const FLOOR: f64 = 50.0;

/// What is asked for: filters of the administrator, each with each order.
const FILTERS: &[&str] = &[
    "",
    "state=active",
    "state=suspended,failed",
    "state=erased",
    "tier=gold",
    "tier=silver&state=active",
    "region=europe-west1",
    "region=asia-east1&tier=bronze",
    "shard=aipress-shard-007",
    "q=shop-0",
    "q=shop-04f",
    "q=zzz",
    "label=team%3Dten",
    "label=rare%3Dyes",
    "label=team%3Dten,rare%3Dyes&tier=gold",
    "account=ACCOUNT",
    "account=ACCOUNT&state=suspended",
    "account=ACCOUNT&q=shop-0&tier=gold",
];
const ORDERS: &[&str] = &["name", "-name", "createdAt", "-createdAt", "updatedAt", "-updatedAt"];
const LIMITS: &[u32] = &[20, 50, 200];

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "list")?;
    let mut run = Run::begin("list", options, Cores::shared(), scratch.path())?;
    let tenants = options.samples(TENANTS, 2_000);
    eprintln!("  writing {tenants} tenants");
    let callers = registry::fill(scratch.path(), tenants, ACCOUNTS, options.seed).await?;
    let meta = Meta::start(scratch.path())?;
    meta.is_up().await?;
    run.method(format!(
        "{tenants} tenants of {ACCOUNTS} accounts on {} shards in 5 regions, 2 in 3 active; meta with a \
         registry on disk, called over its socket by {CALLERS} callers at once in a closed loop, a \
         connection for each call; lists of random filters, orders and page sizes, a third of them \
         by members, each read for up to {PAGES} pages; times are of single pages",
        tenants.div_ceil(50)
    ));
    let lists = options.samples(LISTS, 100);
    let tasks: Vec<_> = (0..CALLERS)
        .map(|number| {
            let seed = options.seed ^ (number as u64 + 1);
            ask(meta.client(), callers.clone(), Seeded::new(seed), lists / CALLERS)
        })
        .collect();
    let mut all = Vec::new();
    for pages in futures_util::future::try_join_all(tasks).await? {
        all.extend(pages);
    }
    meta.stop()?;
    report(&mut run, &all);
    Ok(run)
}

fn report(run: &mut Run, pages: &[Page]) {
    let times = |wanted: &dyn Fn(&Page) -> bool| {
        let times: Vec<f64> = pages.iter().filter(|it| wanted(it)).map(|it| it.ms).collect();
        Stats::of(&times)
    };
    let mut row = |id: &str, title: &str, stats: Stats, floor: Option<f64>| {
        let p99 = stats.quantile(0.99);
        let mut row = Row::new(id, title, "ms", Better::Lower, stats).value(p99);
        if let Some(floor) = floor {
            row = row.bounds(floor, None);
        }
        if id == "list-p99" {
            for filter in FILTERS {
                let of = times(&|page| page.filter == *filter);
                let name = if filter.is_empty() { "no filter" } else { filter };
                row = row.detail(format!("p99 of {name}"), of.quantile(0.99));
            }
        }
        run.rows.push(row);
    };
    row("list-p99", "a page of a list of tenants, p99", times(&|_| true), Some(FLOOR));
    row("list-admin-p99", "  by the administrator, p99", times(&|it| !it.by_member), None);
    row("list-member-p99", "  by a member, p99", times(&|it| it.by_member), None);
    row("list-first-p99", "  first pages, p99", times(&|it| it.number == 0), None);
    row("list-later-p99", "  later pages, p99", times(&|it| it.number > 0), None);
}

/// One page as it was measured.
struct Page {
    filter: &'static str,
    by_member: bool,
    number: u64,
    ms: f64,
}

async fn ask(
    client: Client,
    callers: Callers,
    mut seeded: Seeded,
    lists: usize,
) -> anyhow::Result<Vec<Page>> {
    let mut pages = Vec::new();
    let mut choose = move |from: usize| usize::try_from(seeded.next() % from as u64).unwrap_or(0);
    for _ in 0..lists {
        let filter = FILTERS[choose(FILTERS.len())];
        let (order, limit) = (ORDERS[choose(ORDERS.len())], LIMITS[choose(LIMITS.len())]);
        let member = &callers.members[choose(callers.members.len())];
        let by_member = choose(3) == 0;
        let token = if by_member { &member.token } else { &callers.admin };
        let filters = filter.replace("ACCOUNT", &member.account);
        let path = format!("/v1/tenants?{filters}&sort={order}&limit={limit}");
        let path = path.replace("?&", "?");
        let wanted = 1 + choose(usize::try_from(PAGES).unwrap_or(1)) as u64;
        let mut cursor = String::new();
        for number in 0..wanted {
            let begun = Instant::now();
            let found = get(&client, token, &format!("{path}{cursor}")).await?;
            let ms = begun.elapsed().as_secs_f64() * 1_000.0;
            pages.push(Page { filter, by_member, number, ms });
            match found["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
    }
    Ok(pages)
}

async fn get(client: &Client, token: &str, path: &str) -> anyhow::Result<Value> {
    let request = http::Request::get(path)
        .header("authorization", format!("Bearer {token}"))
        .body(Bytes::new())?;
    let answer = client.call(request).await?;
    anyhow::ensure!(
        answer.status() == 200,
        "{path}: {} {}",
        answer.status(),
        String::from_utf8_lossy(answer.body())
    );
    // Read as a client would; what it takes is part of no figure of a server, but little.
    Ok(serde_json::from_slice(answer.body())?)
}

/// A meta in a thread of its own, with a runtime of its own.
struct Meta {
    socket: std::path::PathBuf,
    lifecycle: Lifecycle,
    thread: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Meta {
    fn start(dir: &Path) -> anyhow::Result<Self> {
        let at = |name: &str| dir.join(name);
        std::fs::write(at("roles.json"), "{}")?;
        let socket = at("meta.sock");
        let lifecycle = Lifecycle::manual();
        let config = (registry::path(dir), at("master.key"), at("roles.json"), at("admin-token"));
        let (packages, checkpoints) = (at("packages"), at("checkpoints.jsonl"));
        let (public, internal, ends) = (socket.clone(), at("internal.sock"), lifecycle.clone());
        let thread = std::thread::Builder::new().name("meta".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(async move {
                let (registry_path, key, role_tokens, admin_token_file) = config;
                let config = MetaConfig {
                    registry_path,
                    master_key: MasterKey::File(key),
                    public: bind_unix(&public, 0o600)?,
                    internal: bind_unix(&internal, 0o600)?,
                    role_tokens,
                    own_token: None,
                    federation: Federation { shards: 1_000 },
                    sites: SiteUrls {
                        scheme: "http".to_owned(),
                        base_domain: "localhost".to_owned(),
                        public_port: 8080,
                        console_host: "console.localhost".to_owned(),
                    },
                    admin_token_file,
                    php: None,
                    streams: StreamLimits::default(),
                    webhooks: WebhookConfig::default(),
                    packages: PackagesConfig::new(packages, "http://127.0.0.1:9".to_owned()),
                    checkpoints: CheckpointConfig::new(checkpoints),
                    clock: Clock::system(),
                };
                aipress_meta::run(config, ends).await.context("meta")
            })
        })?;
        Ok(Self { socket, lifecycle, thread })
    }

    fn client(&self) -> Client {
        Client::new(Endpoint::Unix(self.socket.clone()), PATIENCE)
    }

    async fn is_up(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = http::Request::get("/v1/health").body(Bytes::new())?;
            match self.client().call(request).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline || self.thread.is_finished() => {
                    return Err(error).context("wait for meta");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn stop(self) -> anyhow::Result<()> {
        self.lifecycle.drain.cancel();
        self.lifecycle.cut.cancel();
        self.thread.join().map_err(|_| anyhow::anyhow!("meta panicked"))?
    }
}
