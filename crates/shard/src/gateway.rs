//! The data plane of a shard: serves the sites of its table to edges. Knows no intent and no
//! secret; with the control plane down it goes on with the table that it has, and starts from
//! the last one on disk.

mod sinks;
pub(crate) mod table;
mod warm;

use std::path::PathBuf;
use std::sync::Arc;

use aipress_drivers::ShardIds;
use aipress_kit::http::Endpoint;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::Listener;
use aipress_kit::tasks;
use aipress_runtime::RuntimeConfig;
use aipress_runtime::SiteService;
use aipress_runtime::SiteTable;
use aipress_types::ShardId;

/// Settings of a gateway.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The shard that it is of.
    pub shard: ShardId,
    /// The shard's control plane.
    pub control: Endpoint,
    /// File of the last table.
    pub snapshot: PathBuf,
    /// Unix users of the slots: a file of another user is never served.
    pub ids: ShardIds,
    /// Folder for large request bodies on their way to PHP.
    pub spool_dir: PathBuf,
    /// Whether a line is logged for each request.
    pub access_log: bool,
}

/// Serves until `lifecycle` ends it.
pub async fn run(config: GatewayConfig, listener: Listener, lifecycle: Lifecycle) {
    let runtime = RuntimeConfig { spool_dir: config.spool_dir.clone(), ..RuntimeConfig::default() };
    let sites = Arc::new(SiteTable::new(&runtime));
    let sinks = Arc::new(sinks::Logs { shard: config.shard, access: config.access_log });
    let service = SiteService::new(runtime, Arc::clone(&sites), Arc::clone(&sinks) as _, sinks);
    let warm = Arc::new(warm::Warm::default());
    let stop = lifecycle.drain.clone();
    let background = [
        tasks::spawn("gateway-warm", warm::run(Arc::clone(&warm), stop.clone())),
        tasks::spawn("gateway-table", table::run(config, sites, warm, stop)),
    ];
    aipress_kit::http::serve_with(listener, move |_| service.clone(), lifecycle).await;
    for task in background {
        // A task that panicked has said so; there is nothing left to end.
        let _ = task.await;
    }
}
