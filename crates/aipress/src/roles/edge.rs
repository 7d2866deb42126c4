//! The edge.

use aipress_edge::EdgeConfig;
use aipress_edge::config::Essentials;
use aipress_kit::http::Endpoint;
use aipress_types::Secret;

use crate::roles::Start;
use crate::roles::meta_endpoint;
use crate::roles::socket;
use crate::roles::token;

/// Runs it.
pub(super) async fn run(start: Start) -> anyhow::Result<()> {
    let Start { paths, settings, lifecycle, .. } = start;
    let essentials = Essentials {
        listener: socket("edge")?,
        meta: meta_endpoint(&paths),
        role_token: Secret::new(token(&paths, "edge")?),
        console_upstream: Endpoint::Unix(paths.run().join("meta.sock")),
        snapshot: paths.edge_routes(),
    };
    let mut config = EdgeConfig::new("edge-1", essentials);
    config.region = Some(settings.region);
    config.console_host = settings.console_host;
    config.access_log = settings.access_log;
    aipress_edge::run(config, lifecycle).await?;
    Ok(())
}
