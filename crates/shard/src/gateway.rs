//! The data plane of a shard: serves the sites of its table to edges. Knows no intent and no
//! secret; with the control plane down it goes on with the table that it has, and starts from
//! the last one on disk.

mod edge_lines;
mod php_report;
mod sinks;
pub(crate) mod table;
pub(crate) mod visits;
mod warm;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aipress_drivers::ShardIds;
use aipress_kit::http::Endpoint;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::Listener;
use aipress_kit::tasks;
use aipress_logs::LogLimits;
use aipress_logs::LogWriter;
use aipress_runtime::RuntimeConfig;
use aipress_runtime::SiteService;
use aipress_runtime::SiteTable;
use aipress_types::ShardId;

use crate::gateway::edge_lines::Gateway;

/// Settings of a gateway.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The shard that it is of.
    pub shard: ShardId,
    /// The shard's control plane.
    pub control: Endpoint,
    /// File of the last table.
    pub snapshot: PathBuf,
    /// File of the sites' last visits.
    pub visits: PathBuf,
    /// Unix users of the slots: a file of another user is never served.
    pub ids: ShardIds,
    /// Folder for large request bodies on their way to PHP.
    pub spool_dir: PathBuf,
    /// Folder of the sites' logs.
    pub logs: PathBuf,
    /// The region that the shard is in, for logs.
    pub region: String,
    /// Whether a line is logged for each request.
    pub access_log: bool,
}

/// How long the last lines of the logs may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Serves until `lifecycle` ends it.
///
/// # Errors
/// When there can be no thread for the logs.
pub async fn run(
    config: GatewayConfig,
    listener: Listener,
    lifecycle: Lifecycle,
) -> std::io::Result<()> {
    let runtime = RuntimeConfig { spool_dir: config.spool_dir.clone(), ..RuntimeConfig::default() };
    let sites = Arc::new(SiteTable::new(&runtime));
    let writer = LogWriter::start(&config.logs, &config.region, LogLimits::default())?;
    let visits = Arc::new(visits::Visits::restore(config.visits.clone()));
    let sinks = Arc::new(sinks::Logs {
        shard: config.shard,
        access: config.access_log,
        writer: writer.clone(),
        sites: Arc::clone(&sites),
        visits: Arc::clone(&visits),
    });
    let service = SiteService::new(runtime, Arc::clone(&sites), Arc::clone(&sinks) as _, sinks);
    let table = Arc::clone(&sites);
    let warm = Arc::new(warm::Warm::default());
    table::restore(&config, &sites, &warm);
    let stop = lifecycle.drain.clone();
    let background = [
        tasks::spawn("gateway-visits", visits::run(visits, Arc::clone(&table), stop.clone())),
        tasks::spawn(
            "gateway-warm",
            warm::run(Arc::clone(&warm), Arc::clone(&table), stop.clone()),
        ),
        tasks::spawn("gateway-table", table::run(config, sites, warm, stop)),
    ];
    let gateway = Gateway { sites: service, table, writer: writer.clone() };
    aipress_kit::http::serve_with(listener, move |_| gateway.clone(), lifecycle).await;
    for task in background {
        // A task that panicked has said so; there is nothing left to end.
        let _ = task.await;
    }
    // Blocks for a moment, when nothing else is left to do.
    writer.close(LAST_LINES);
    Ok(())
}
