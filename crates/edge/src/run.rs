//! Runs an edge: its table, its visitors, and its end.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::Duration;

use aipress_kit::clock::Clock;
use aipress_kit::lifecycle::DRAIN;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::connections_max;
use aipress_kit::random::RandomError;
use aipress_kit::tasks;
use tokio::sync::Notify;
use tokio::sync::Semaphore;

use crate::backoff::Backoff;
use crate::client::accept;
use crate::config::EdgeConfig;
use crate::edge::Edge;
use crate::host;
use crate::phases::handover::Handover;
use crate::phases::log::AccessLog;
use crate::request_id::RequestIds;
use crate::routes::feed::Feed;
use crate::routes::lookup::Lookup;
use crate::routes::meta::Meta;
use crate::routes::snapshot;
use crate::routes::table::Table;
use crate::upstream::Upstream;
use crate::upstream::Upstreams;

/// How long the last lines of the access log may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Why an edge can't run. Meta being down, or a corrupt snapshot, is no reason.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The role's token is no header value.
    #[error(
        "the edge's role token holds characters that no header may have; run `aipress up` again to have new ones"
    )]
    Token,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The thread of the access log.
    #[error("start the access log: {0}")]
    AccessLog(std::io::Error),
    /// The snapshot's reader was stopped.
    #[error("read the route table: {0}")]
    Snapshot(#[from] tokio::task::JoinError),
}

/// Serves visitors until `lifecycle` drains, then finishes the requests under way, for no longer
/// than [`DRAIN`]. New visitors wait in the listener's backlog, which is the supervisor's, for the
/// next edge.
///
/// # Errors
/// See [`EdgeError`].
pub async fn run(config: EdgeConfig, lifecycle: Lifecycle) -> Result<(), EdgeError> {
    let upstreams = Arc::new(Upstreams::default());
    let table = Arc::new(Table::new(Arc::clone(&upstreams)));
    load(&config, &table).await?;
    let changed = Arc::new(Notify::new());
    let meta = Meta::new(
        config.meta.clone(),
        &config.role_token,
        config.timeouts.feed_wait,
        config.timeouts.question,
    )
    .map(Arc::new)
    .map_err(|_| EdgeError::Token)?;

    let feed = Feed {
        meta: Arc::clone(&meta),
        table: Arc::clone(&table),
        changed: Arc::clone(&changed),
        backoff: Backoff::new(config.jitter.clone()),
        metrics: config.metrics.clone(),
        clock: Clock::system(),
    };
    tasks::spawn("edge-route-feed", feed.run(lifecycle.clone()));
    let kept = tasks::spawn(
        "edge-route-snapshot",
        snapshot::keep(
            config.snapshot.clone(),
            Arc::clone(&table),
            changed,
            config.timeouts.snapshot_debounce,
            config.metrics.clone(),
            lifecycle.clone(),
        ),
    );
    let console = Arc::new(Upstream::new(config.console_upstream.clone()));
    let keep = config.timeouts.upstream_idle;
    tasks::spawn(
        "edge-upstream-sweep",
        upstreams.sweep(Arc::clone(&console), keep, lifecycle.clone()),
    );
    serve(config, (table, meta, console), lifecycle).await?;
    // The last state of the table is on disk when the next edge starts.
    let _ = kept.await;
    Ok(())
}

async fn load(config: &EdgeConfig, table: &Table) -> Result<(), EdgeError> {
    let path = config.snapshot.clone();
    let stored = tokio::task::spawn_blocking(move || snapshot::load(&path)).await?;
    if let Some(stored) = stored {
        table.apply(stored);
        config.metrics.0.routes.set(table.size() as u64);
        tracing::info!(routes = table.size(), seq = table.seq(), "route table is read from disk");
    }
    Ok(())
}

async fn serve(
    config: EdgeConfig,
    (table, meta, console): (Arc<Table>, Arc<Meta>, Arc<Upstream>),
    lifecycle: Lifecycle,
) -> Result<(), EdgeError> {
    let mut limits = config.limits;
    limits.connections = connections_max(limits.connections);
    let lookup =
        Lookup::new(meta, Arc::clone(&table), (&limits, &config.timeouts), config.metrics.clone());
    let slots = Arc::new(Semaphore::new(limits.connections));
    let tunnels = Arc::new(Semaphore::new(limits.tunnels));
    let (all_slots, all_tunnels) = (count(limits.connections), count(limits.tunnels));
    let (access_log, writer) = access_log(config.access_log, config.edge_id, config.region)?;
    let handover = Arc::new(Handover::default());
    let accept_tasks = limits.accept_tasks.max(1);
    let edge = Arc::new(Edge {
        table,
        lookup: Arc::new(lookup),
        console_host: host::normalized(&config.console_host).into_owned(),
        console,
        trusted_proxies: config.trusted_proxies,
        scheme: config.scheme,
        limits,
        timeouts: config.timeouts,
        request_ids: RequestIds::new()?,
        in_flight: AtomicUsize::new(0),
        tunnels: Arc::clone(&tunnels),
        metrics: config.metrics,
        access_log,
        handover: Arc::clone(&handover),
        lifecycle: lifecycle.clone(),
    });
    let handing_over = tasks::spawn("edge-handover", handover.run(lifecycle.clone()));
    let listener = Arc::new(config.listener);
    let accepting: Vec<_> = (0..accept_tasks)
        .map(|_| {
            let work = accept::run(Arc::clone(&edge), Arc::clone(&listener), Arc::clone(&slots));
            tasks::spawn("edge-accept", work)
        })
        .collect();
    drop(listener);
    lifecycle.drain.cancelled().await;
    for task in accepting {
        let _ = task.await;
    }
    // With every place free there is no connection left.
    let finished = async {
        let _ = slots.acquire_many(all_slots).await;
        let _ = tunnels.acquire_many(all_tunnels).await;
    };
    tokio::select! {
        () = finished => {}
        () = lifecycle.cut.cancelled() => {}
        () = tokio::time::sleep(DRAIN) => {}
    }
    drop(edge);
    // Its last delivery.
    let _ = tokio::time::timeout(LAST_LINES, handing_over).await;
    if let Some(writer) = writer {
        // Its last lines; no longer, for a request that was not finished keeps it running.
        let written = tokio::task::spawn_blocking(move || writer.join());
        let _ = tokio::time::timeout(LAST_LINES, written).await;
    }
    Ok(())
}

fn count(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn access_log(
    is_on: bool,
    edge_id: String,
    region: Option<String>,
) -> Result<(AccessLog, Option<JoinHandle<()>>), EdgeError> {
    if !is_on {
        return Ok((AccessLog::off(), None));
    }
    let (log, write) = AccessLog::on(edge_id, region);
    let writer = std::thread::Builder::new()
        .name("access-log".to_owned())
        .spawn(write)
        .map_err(EdgeError::AccessLog)?;
    Ok((log, Some(writer)))
}
