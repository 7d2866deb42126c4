//! Keeps the gateway's table: from disk at start, then from the control plane as it changes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::internal::SiteChanges;
use aipress_api::internal::SiteEntry;
use aipress_api::internal::SiteState as WireState;
use aipress_api::paths;
use aipress_drivers::ShardIds;
use aipress_drivers::Slot;
use aipress_flow::Backoff;
use aipress_kit::durable;
use aipress_kit::http::Client;
use aipress_runtime::Site;
use aipress_runtime::SiteState;
use aipress_runtime::SiteTable;
use bytes::Bytes;
use http::Request;
use tokio_util::sync::CancellationToken;

use super::GatewayConfig;
use super::warm::Warm;

/// How long the control plane may hold a question while nothing changes.
const WAIT: Duration = Duration::from_secs(20);
/// Longer than that, so that an answer in time is never cut off.
const TIMEOUT: Duration = Duration::from_secs(30);
/// After a failed question.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(20), max: Duration::from_secs(2) };

/// Takes the last table from disk. To be done before the first visitor is heard, who would
/// otherwise be told that there is no such site.
pub(super) fn restore(config: &GatewayConfig, sites: &SiteTable, warm: &Warm) {
    if let Some(last) = load(&config.snapshot) {
        apply(&last.sites, &config.ids, sites, warm);
    }
}

/// Keeps the table up to date until `stop`.
pub(super) async fn run(
    config: GatewayConfig,
    sites: Arc<SiteTable>,
    warm: Arc<Warm>,
    stop: CancellationToken,
) {
    let client = Client::new(config.control.clone(), TIMEOUT);
    let mut seq = None;
    let mut failures = 0;
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            asked = ask(&client, seq) => asked,
        };
        match asked {
            Ok(changes) => {
                failures = 0;
                if seq != Some(changes.seq) {
                    apply(&changes.sites, &config.ids, &sites, &warm);
                    save(&config.snapshot, &changes);
                }
                seq = Some(changes.seq);
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(
                        error,
                        "the control plane does not answer; serving what is known"
                    );
                }
                failures += 1;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(BACKOFF.wait(failures)) => {}
                }
            }
        }
    }
}

async fn ask(client: &Client, seq: Option<u64>) -> Result<SiteChanges, String> {
    let path = match seq {
        Some(seq) => format!("{}?after={seq}&waitMs={}", paths::SHARD_SITES, WAIT.as_millis()),
        None => paths::SHARD_SITES.to_owned(),
    };
    let request = Request::get(path).body(Bytes::new()).map_err(|error| error.to_string())?;
    let answer = client.call(request).await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("status {}", answer.status()));
    }
    serde_json::from_slice(answer.body()).map_err(|error| error.to_string())
}

fn apply(entries: &[SiteEntry], ids: &ShardIds, sites: &SiteTable, warm: &Warm) {
    let conflicts = sites.replace(entries.iter().filter_map(|entry| site(entry, ids)).collect());
    for conflict in conflicts {
        tracing::error!(host = conflict.host, kept = %conflict.kept, refused = %conflict.refused, "two sites claim a host");
    }
    warm.replace(entries);
}

/// A site as the runtime serves it.
pub(crate) fn site(entry: &SiteEntry, ids: &ShardIds) -> Option<Site> {
    let slot = Slot::new(entry.slot)?;
    let uid = entry.uid.to_string();
    let number = u16::try_from(entry.slot).ok()?;
    Some(Site {
        hosts: entry.hosts.clone(),
        site_dir: entry.site_dir.clone(),
        core_dir: entry.core_dir.clone(),
        slot_dir: entry.slot_dir.clone(),
        php_dir: Some(entry.php_dir.clone()),
        fpm_socket: entry.fpm_socket.clone(),
        owner_uid: ids.slot(slot).uid,
        state: match entry.state {
            WireState::Serving => SiteState::Serving,
            WireState::Suspended => SiteState::Suspended,
            WireState::Starting => SiteState::Starting,
        },
        php_values: entry.php_values.clone(),
        php_admin_values: entry.php_admin_values.clone(),
        runs_uploads: entry.php_in_uploads,
        max_workers: usize::try_from(entry.max_workers).unwrap_or(1),
        ..Site::new(&uid, &entry.name, number)
    })
}

/// The last table, where there is one that is understood.
fn load(path: &Path) -> Option<SiteChanges> {
    let bytes = std::fs::read(path).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(changes) => Some(changes),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "the last table is damaged; asking for a new one");
            None
        }
    }
}

fn save(path: &Path, changes: &SiteChanges) {
    let written = serde_json::to_vec(changes)
        .map_err(std::io::Error::other)
        .and_then(|bytes| durable::write(path, &bytes, 0o600));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "the table can't be kept on disk");
    }
}
