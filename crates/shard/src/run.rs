//! Starts the control plane's parts and ends them together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use aipress_drivers::Drivers;
use aipress_flow::Backoff;
use aipress_flow::WorkQueue;
use aipress_kit::clock::Clock;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::Listener;
use aipress_kit::seal::SealError;
use aipress_kit::seal::Sealer;
use aipress_kit::tasks;
use aipress_logs::LogLimits;
use aipress_logs::LogReader;
use aipress_logs::LogWriter;
use aipress_types::ShardHealth;
use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use crate::config::ShardConfig;
use crate::core::CoreSource;
use crate::cron::Cron;
use crate::cron::wake::GatewayWaker;
use crate::cron::wake::Waker;
use crate::exports::Exports;
use crate::http;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::mail::Mails;
use crate::mail::intake;
use crate::meta::call::Meta;
use crate::meta::pull;
use crate::meta::report;
use crate::packages::Mirror;
use crate::packages::PackageShelf;
use crate::plane::Health;
use crate::plane::Plane;
use crate::reconcilers::cron;
use crate::reconcilers::exports;
use crate::reconcilers::health;
use crate::reconcilers::limits;
use crate::reconcilers::limits::Limits;
use crate::reconcilers::mail;
use crate::reconcilers::spares;
use crate::reconcilers::tenant;
use crate::reconcilers::tenant::rotation::Readers;
use crate::site_inventory;
use crate::site_inventory::Due;
use crate::smoke::Visitor;
use crate::tenants::Tenants;

/// Tenants that are worked on at once.
const WORKERS: usize = 4;
/// Of these, how many may make a site from an archive, which takes long.
const MAKINGS: usize = 2;
/// Readers of logs at once; more wait for a turn.
const LOG_READERS: usize = 8;
/// Between tries of a tenant that fails.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), max: Duration::from_secs(30) };

/// Why a shard's control plane does not start.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The key of the sealed intents.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The sealed intents.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The spool of mail.
    #[error("spool of mail: {0}")]
    Mail(std::io::Error),
    /// The spool of exports.
    #[error("spool of exports: {0}")]
    Exports(#[from] std::io::Error),
    /// The thread that writes to the sites' logs.
    #[error("start the writer of the sites' logs: {0}")]
    Logs(std::io::Error),
}

/// What the binary gives a shard beside its settings.
pub struct ShardParts {
    /// How it touches the world.
    pub drivers: Drivers,
    /// Where WordPress comes from.
    pub cores: Arc<dyn CoreSource>,
    /// How it looks at its sites as a visitor does.
    pub visitor: Arc<dyn Visitor>,
    /// The clock.
    pub clock: Clock,
    /// The control API's socket.
    pub listener: Listener,
    /// The socket that takes the sites' mail.
    pub mail: Listener,
}

/// Runs the control plane until `lifecycle` ends it.
///
/// # Errors
/// When it can't start; once it runs, nothing but `lifecycle` ends it.
pub async fn run(
    config: ShardConfig,
    parts: ShardParts,
    lifecycle: Lifecycle,
) -> Result<(), ShardError> {
    let meta = Meta::new(&config);
    let packages = Arc::new(Mirror::new(meta.clone(), config.paths.packages()));
    let world = World { visitor: parts.visitor, packages };
    let plane = Arc::new(open(config, parts.drivers, parts.cores, world, parts.clock)?);
    for tenant in plane.tenants.list() {
        plane.queue.add(tenant.entry.intent.uid);
    }
    let known = Limits::recall(&plane).await;
    let stop = lifecycle.drain.clone();
    let meta_of_inventories = meta.clone();
    let waker: Arc<dyn Waker> = Arc::new(GatewayWaker::new(&plane.config.gateway_url));
    let background = [
        tasks::spawn("shard-cron", cron::run(Arc::clone(&plane), waker, stop.clone())),
        tasks::spawn("shard-cron-scan", cron::scan(Arc::clone(&plane), stop.clone())),
        tasks::spawn("shard-health", health::run(Arc::clone(&plane), stop.clone())),
        tasks::spawn("shard-pull", pull::run(Arc::clone(&plane), meta.clone(), stop.clone())),
        tasks::spawn("shard-report", report::run(Arc::clone(&plane), meta, stop.clone())),
        tasks::spawn("shard-exports", exports::sweep(Arc::clone(&plane), stop.clone())),
        tasks::spawn(
            "shard-inventories",
            site_inventory::run(Arc::clone(&plane), meta_of_inventories, stop.clone()),
        ),
        tasks::spawn("shard-mails", mail::run(Arc::clone(&plane), stop.clone())),
        tasks::spawn(
            "shard-mail-socket",
            intake::run(Arc::clone(&plane), parts.mail, stop.clone()),
        ),
        tasks::spawn("shard-places", limits::place(Arc::clone(&plane), stop.clone())),
        tasks::spawn("shard-limits", limits::run(Arc::clone(&plane), known, stop.clone())),
        tasks::spawn("shard-spares", spares::run(Arc::clone(&plane), stop.clone())),
        tasks::spawn("shard-tenants", {
            let (queue, plane) = (Arc::clone(&plane.queue), Arc::clone(&plane));
            queue.run(WORKERS, stop, move |uid| tenant::reconcile(Arc::clone(&plane), uid))
        }),
    ];
    let router = http::router(Arc::clone(&plane));
    aipress_kit::http::serve(parts.listener, router, lifecycle).await;
    for task in background {
        // A task that panicked has said so; there is nothing left to end.
        let _ = task.await;
    }
    Ok(())
}

/// What is outside of the shard beside its machine and its cores.
pub(crate) struct World {
    pub(crate) visitor: Arc<dyn Visitor>,
    pub(crate) packages: Arc<dyn PackageShelf>,
}

/// The control plane as the last one left it.
pub(crate) fn open(
    config: ShardConfig,
    drivers: Drivers,
    cores: Arc<dyn CoreSource>,
    world: World,
    clock: Clock,
) -> Result<Plane, ShardError> {
    Sealer::ensure_key_file(&config.paths.key())?;
    let sealer = Sealer::from_file(&config.paths.key())?;
    let journal = Journal::open(config.paths.intents(), sealer)?;
    let tenants = Tenants::load(journal, config.slots)?;
    let unknown = Health { health: ShardHealth::Unknown, message: None };
    let exports = Exports::open(config.paths.exports())?;
    // Who is as wanted when this process starts was told so by the one before.
    let told = tenants.list().into_iter().filter(|tenant| tenant.entry.built);
    let told = told.map(|tenant| (tenant.entry.intent.uid, tenant.entry.intent.desired)).collect();
    let logs = config.paths.site_logs();
    let log_writer = LogWriter::start(&logs, &config.region, LogLimits::default());
    let cron = Cron::restore(config.paths.cron(), clock.clone());
    let mails = Mails::open(config.paths.mail(), config.mail.clone(), clock.clone());
    Ok(Plane {
        cron,
        mails: mails.map_err(ShardError::Mail)?,
        meta: Meta::new(&config),
        exports,
        log_reader: LogReader::new(logs),
        told: Mutex::new(told),
        makings: Semaphore::new(MAKINGS),
        readers: Readers::default(),
        log_turns: Arc::new(Semaphore::new(LOG_READERS)),
        log_writer: log_writer.map_err(ShardError::Logs)?,
        config,
        drivers,
        cores,
        visitor: world.visitor,
        packages: world.packages,
        clock,
        inventories: Due::default(),
        tenants,
        queue: Arc::new(WorkQueue::new(BACKOFF)),
        health: ArcSwap::from_pointee(unknown),
        pull_now: Notify::new(),
        unlisted: ArcSwap::from_pointee(BTreeSet::new()),
        sites_seq: watch::Sender::new(first_seq()),
        sites_taken: watch::Sender::new(0),
    })
}

/// Starts from the time, so that a gateway that knew the former process's table sees a higher
/// number.
fn first_seq() -> u64 {
    let now = Clock::system().now().unix_timestamp_nanos() / 1_000_000;
    u64::try_from(now).unwrap_or(1)
}
