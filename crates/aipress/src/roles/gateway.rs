//! A shard's gateway.

use std::os::unix::fs::MetadataExt;

use aipress_drivers::DataPaths;
use aipress_drivers::UidPlan;
use aipress_kit::http::Endpoint;
use aipress_shard::gateway;
use aipress_shard::gateway::GatewayConfig;
use aipress_types::ShardId;
use anyhow::Context;

use crate::roles::Start;
use crate::roles::socket;
use crate::settings::Settings;

/// Runs it.
pub(super) async fn run(start: Start, id: ShardId) -> anyhow::Result<()> {
    let Start { paths, settings, lifecycle, .. } = start;
    let of = paths.shard(id);
    let dir = of.dir().join("gateway");
    let config = GatewayConfig {
        shard: id,
        control: Endpoint::Unix(of.control_socket()),
        snapshot: dir.join("sites.json"),
        visits: of.gateway_visits(),
        ids: uids(&paths, &settings)?.shard(id)?,
        spool_dir: dir,
        logs: of.site_logs(),
        region: settings.region.clone(),
        access_log: settings.access_log,
    };
    gateway::run(config, socket("gateway")?, lifecycle).await?;
    Ok(())
}

/// Who owns the sites' files. This process is nobody special in either plan, so its own user does
/// not tell; the data folder is root's where each slot has a user of its own.
fn uids(paths: &DataPaths, settings: &Settings) -> anyhow::Result<UidPlan> {
    let root = paths.root();
    let folder = std::fs::metadata(root).with_context(|| format!("look at {}", root.display()))?;
    Ok(match folder.uid() {
        0 => UidPlan::PerRole(settings.uid_base),
        _ => settings.uids(),
    })
}
