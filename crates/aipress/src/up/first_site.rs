//! The first site, `hello`: made once in the life of a data folder.

use std::time::Duration;

use aipress_api::TenantCreate;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_api::client::ListQuery;
use aipress_drivers::DataPaths;
use aipress_kit::durable;
use aipress_supervise::Handle;
use aipress_types::ShardHealth;
use aipress_types::TenantSpec;
use aipress_types::TenantState;
use aipress_types::WordPressSpec;

use crate::args::Connect;
use crate::cli::connect;
use crate::settings::Settings;

/// Name of the first site.
pub(super) const NAME: &str = "hello";
/// How long units and shards may take before it is given up for this start.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes it once everything is up, unless it was made before or is not wanted; marks that the
/// matter is settled.
pub(super) async fn ensure(ready: &Handle, paths: &DataPaths, settings: &Settings, wanted: bool) {
    let mark = super::first_site_mark(paths);
    if mark.exists() {
        return;
    }
    let made = async {
        ready.ready(PATIENCE).await?;
        if wanted {
            let connect = Connect::here();
            let client = connect::client(Some(paths.root()), &connect)
                .map_err(|failure| anyhow::anyhow!("{failure}"))?;
            make(&client, settings).await?;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(PATIENCE, made).await {
        Ok(Ok(())) => {
            if let Err(error) = durable::write(&mark, b"made\n", 0o644) {
                tracing::error!(%error, "the first site's mark can't be written");
            }
        }
        Ok(Err(error)) => tracing::error!(error = format!("{error:#}"), "no first site"),
        Err(_) => tracing::error!("no first site: not made in time"),
    }
}

async fn make(client: &ApiClient, settings: &Settings) -> anyhow::Result<()> {
    shards_up(client, settings).await?;
    let body = TenantCreate {
        name: NAME.to_owned(),
        spec: TenantSpec {
            wordpress: WordPressSpec {
                title: Some("Hello from AIPress".to_owned()),
                ..WordPressSpec::default()
            },
            ..TenantSpec::default()
        },
        ..TenantCreate::default()
    };
    match client.tenant_create(&body).await {
        Ok(_) => {}
        // Made by a start that did not live to see it.
        Err(ApiError::Problem(problem)) if problem.status == 409 => {}
        Err(error) => return Err(error.into()),
    }
    while client.tenant_fetch(NAME).await?.state == TenantState::Creating {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn shards_up(client: &ApiClient, settings: &Settings) -> anyhow::Result<()> {
    loop {
        let healthy = match client.shard_list(&ListQuery::default()).await {
            Ok(page) => {
                page.items.iter().filter(|shard| shard.health == ShardHealth::Healthy).count()
            }
            Err(ApiError::Transport(_)) => 0,
            Err(error) => return Err(error.into()),
        };
        if healthy == settings.shards as usize {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
