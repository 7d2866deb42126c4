//! What is running: units, API, shards, sites.

use std::path::Path;

use aipress_api::TenantView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_api::client::ListQuery;
use aipress_drivers::DataPaths;
use aipress_supervise::ControlError;
use aipress_supervise::UnitState;
use aipress_supervise::UnitStatus;
use aipress_supervise::control;
use aipress_types::ShardHealth;
use aipress_types::TenantState;

use crate::args::Connect;
use crate::cli::connect;
use crate::doctor::Check;
use crate::settings::Settings;
use crate::status;

/// Sites asked for at once.
const PAGE: u32 = 500;

/// All of them; one that says so when nothing is running.
pub(super) async fn checks(
    data: Option<&Path>,
    how: &Connect,
    paths: &DataPaths,
    settings: &Settings,
) -> Vec<Check> {
    let mut checks = Vec::new();
    match control::status(&paths.run(), status::PATIENCE).await {
        Ok(snapshot) => {
            checks.push(Check::good("platform", format!("runs as process {}", snapshot.pid)));
            let wanted = snapshot.units.iter().filter(|unit| !unit.is_idle());
            checks.extend(wanted.map(|unit| unit_check(unit, paths)));
        }
        Err(ControlError::NotRunning(_)) => {
            checks.push(Check::warning(
                "platform",
                "is not running",
                "`make up` or `aipress up --detach` starts it",
            ));
            return checks;
        }
        Err(error) => {
            checks.push(Check::bad(
                "platform",
                error.to_string(),
                "ask as the user who started it",
            ));
            return checks;
        }
    }
    match connect::client(data, how) {
        Ok(client) => checks.extend(api(&client, settings).await),
        Err(failure) => checks.push(Check::bad("API", failure.to_string(), "see the settings")),
    }
    checks
}

fn unit_check(unit: &UnitStatus, paths: &DataPaths) -> Check {
    let name = format!("unit {}", unit.name);
    if unit.state == UnitState::Ready {
        let restarts = match unit.restarts {
            0 => String::new(),
            count => format!(", came back {count} times"),
        };
        return Check::good(&name, format!("up{restarts}"));
    }
    let last =
        unit.last_exit.as_ref().map_or_else(String::new, |exit| format!(": {}", exit.reason));
    let log = paths.logs().join(format!("{}.log", unit.name));
    Check::bad(&name, format!("{}{last}", unit.state), format!("its log is {}", log.display()))
}

async fn api(client: &ApiClient, settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    match client.me().await {
        Ok(me) => checks.push(Check::good("API", format!("signed in as {}", me.name))),
        Err(error) => {
            checks.push(Check::bad("API", error.to_string(), remedy(&error)));
            return checks;
        }
    }
    checks.extend(registry(client).await);
    match client.shard_list(&ListQuery::default().with("limit", Some(PAGE))).await {
        Ok(page) => {
            for shard in &page.items {
                let name = format!("shard {}", shard.id);
                let found =
                    format!("{}, {}/{} sites", shard.health.as_str(), shard.taken, shard.slots);
                checks.push(if shard.health == ShardHealth::Healthy {
                    Check::good(&name, found)
                } else {
                    let why = shard.message.clone().unwrap_or_default();
                    Check::bad(
                        &name,
                        format!("{found}: {why}"),
                        "see the units above and their logs",
                    )
                });
            }
            if page.items.len() < settings.shards as usize {
                let found =
                    format!("{} of {} shards have reported", page.items.len(), settings.shards);
                checks.push(Check::bad("shards", found, "see the units above and their logs"));
            }
        }
        Err(error) => checks.push(Check::bad("shards", error.to_string(), remedy(&error))),
    }
    match every_tenant(client).await {
        Ok(tenants) => checks.push(sites(&tenants)),
        Err(error) => checks.push(Check::bad("sites", error.to_string(), remedy(&error))),
    }
    checks
}

/// What the registry's own look at its file found.
async fn registry(client: &ApiClient) -> Option<Check> {
    match client.health().await {
        Ok(health) if health.status == "damaged" => Some(Check::bad(
            "registry",
            "its file is damaged; logs/meta.log says where",
            "bring meta/registry.db back from a copy (docs/RUNNING.md, Backup)",
        )),
        // What keeps it from answering is said by the other checks.
        _ => None,
    }
}

fn remedy(error: &ApiError) -> String {
    match error {
        ApiError::Problem(problem) if problem.status == 401 => {
            "run it as root, or give a token with --token-file".to_owned()
        }
        _ => "see the units above and their logs".to_owned(),
    }
}

fn sites(tenants: &[TenantView]) -> Check {
    let failed: Vec<String> = tenants
        .iter()
        .filter(|tenant| tenant.state == TenantState::Failed)
        .map(|tenant| format!("{} ({})", tenant.name, tenant.message.clone().unwrap_or_default()))
        .collect();
    if failed.is_empty() {
        return Check::good("sites", format!("{} in the registry, none failed", tenants.len()));
    }
    Check::bad(
        "sites",
        format!("failed: {}", failed.join(", ")),
        "`aipress tenant show NAME` and `aipress operation list --tenant NAME` say why",
    )
}

/// Every site that is not erased.
pub(super) async fn every_tenant(client: &ApiClient) -> Result<Vec<TenantView>, ApiError> {
    let mut tenants = Vec::new();
    let mut cursor = None;
    loop {
        let query = ListQuery::default().with("limit", Some(PAGE)).with("cursor", cursor);
        let page = client.tenant_list(&query).await?;
        tenants.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            tenants.retain(|tenant: &TenantView| tenant.state != TenantState::Erased);
            return Ok(tenants);
        }
    }
}
