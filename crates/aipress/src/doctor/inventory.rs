//! `aipress doctor --inventory`: what each shard says that exists there, the edge's routes, and
//! the registry's rows, each beside its counterpart. Whatever has none, on either side, is an
//! error.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aipress_api::TenantView;
use aipress_api::internal::InventoryItem;
use aipress_api::internal::RouteEntry;
use aipress_api::internal::ShardInventory;
use aipress_api::paths as api_paths;
use aipress_drivers::DataPaths;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_types::ShardId;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use anyhow::Context;
use bytes::Bytes;
use tokio::time::Instant;

use crate::args::Connect;
use crate::args::Output;
use crate::cli::connect;
use crate::doctor::platform;
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;

/// Looking at everything takes a shard a while.
const PATIENCE: Duration = Duration::from_secs(30);
/// The edge routes by what it has in memory; its file may follow this much later.
const EDGE_LAG: Duration = Duration::from_secs(3);
/// Between two looks at the file.
const EDGE_PAUSE: Duration = Duration::from_millis(100);

/// Prints it; exit code 1 when something has no counterpart.
pub(super) async fn run(
    data: Option<&Path>,
    how: &Connect,
    paths: &DataPaths,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    let mut places = Vec::new();
    for shard in (1..=settings.shards).filter_map(ShardId::from_number) {
        places.push(of_shard(paths, shard).await?);
    }
    // Read after the shards, so that what was made meanwhile has its row.
    let tenants = platform::every_tenant(&client).await?;
    places.push(edge_settled(paths, &tenants).await?);
    compare(&mut places, &tenants);
    output::print(output, &places, |places| table(places, &tenants))?;
    let errors =
        places.iter().flat_map(|place| &place.items).filter(|i| i.problem.is_some()).count();
    match errors {
        0 => Ok(()),
        errors => Err(Failure::Failed(anyhow::anyhow!("{errors} things are not explained"))),
    }
}

async fn of_shard(paths: &DataPaths, shard: ShardId) -> anyhow::Result<ShardInventory> {
    let socket = paths.shard(shard).control_socket();
    let client = Client::new(Endpoint::Unix(socket), PATIENCE);
    let request = http::Request::get(api_paths::SHARD_INVENTORY).body(Bytes::new())?;
    let answer = client.call(request).await.with_context(|| format!("inventory of {shard}"))?;
    if !answer.status().is_success() {
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        anyhow::bail!("inventory of {shard}: status {}: {body}", answer.status());
    }
    serde_json::from_slice(answer.body()).with_context(|| format!("inventory of {shard}"))
}

/// What is read of the edge's own file.
#[derive(serde::Deserialize)]
struct Snapshot {
    routes: Vec<RouteEntry>,
}

/// The routes that the edge would start from, once its file has had time to follow.
async fn edge_settled(paths: &DataPaths, tenants: &[TenantView]) -> anyhow::Result<ShardInventory> {
    let deadline = Instant::now() + EDGE_LAG;
    loop {
        let edge = of_edge(paths, tenants)?;
        let wrong = edge.items.iter().any(|item| item.problem.is_some());
        if !wrong || Instant::now() > deadline {
            return Ok(edge);
        }
        tokio::time::sleep(EDGE_PAUSE).await;
    }
}

/// The routes that the edge's file has.
fn of_edge(paths: &DataPaths, tenants: &[TenantView]) -> anyhow::Result<ShardInventory> {
    let path = paths.edge_routes();
    let routes = match std::fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice::<Snapshot>(&bytes)
                .with_context(|| format!("read {}", path.display()))?
                .routes
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let mut items: Vec<InventoryItem> = routes
        .iter()
        .map(|route| {
            let known = tenants.iter().any(|tenant| tenant.uid == route.tenant.0);
            item(
                "route",
                &route.host,
                Some(route.tenant),
                (!known).then_some("no tenant explains it"),
            )
        })
        .collect();
    for tenant in tenants.iter().filter(|tenant| tenant.state == TenantState::Active) {
        let uid = TenantUid(tenant.uid);
        if !routes.iter().any(|route| route.tenant == uid) {
            items.push(item("route", &tenant.url, Some(uid), Some("is missing")));
        }
    }
    Ok(ShardInventory { shard: "edge".to_owned(), items })
}

/// The registry's rows against the shards' tenants.
fn compare(places: &mut [ShardInventory], tenants: &[TenantView]) {
    let by_uid: BTreeMap<TenantUid, &TenantView> =
        tenants.iter().map(|tenant| (TenantUid(tenant.uid), tenant)).collect();
    for place in places.iter_mut().filter(|place| place.shard != "edge") {
        let name = place.shard.clone();
        for item in &mut place.items {
            if item.problem.is_none()
                && let Some(uid) = item.tenant
            {
                item.problem = match by_uid.get(&uid) {
                    None => Some("no row of the registry explains it".to_owned()),
                    Some(tenant) if tenant.shard.as_ref() != Some(&name) => {
                        Some("the registry has its tenant on another shard".to_owned())
                    }
                    Some(_) => None,
                };
            }
        }
        for tenant in tenants.iter().filter(|tenant| tenant.shard.as_ref() == Some(&name)) {
            let uid = TenantUid(tenant.uid);
            let there =
                place.items.iter().any(|item| item.kind == "tenant" && item.tenant == Some(uid));
            if !there {
                place.items.push(item(
                    "tenant",
                    &tenant.name,
                    Some(uid),
                    Some("the shard does not know it"),
                ));
            }
        }
    }
}

fn item(kind: &str, name: &str, tenant: Option<TenantUid>, problem: Option<&str>) -> InventoryItem {
    InventoryItem {
        kind: kind.to_owned(),
        name: name.to_owned(),
        tenant,
        explained_by: None,
        problem: problem.map(str::to_owned),
    }
}

fn table(places: &[ShardInventory], tenants: &[TenantView]) -> String {
    let name = |uid: TenantUid| {
        tenants
            .iter()
            .find(|tenant| tenant.uid == uid.0)
            .map_or_else(|| uid.to_string(), |tenant| format!("tenant {} ({uid})", tenant.name))
    };
    let rows: Vec<Vec<String>> = places
        .iter()
        .flat_map(|place| place.items.iter().map(move |item| (place, item)))
        .map(|(place, item)| {
            let explained = item.tenant.map(name).or_else(|| item.explained_by.clone());
            vec![
                place.shard.clone(),
                item.kind.clone(),
                item.name.clone(),
                explained.unwrap_or_else(|| "-".to_owned()),
                item.problem.as_ref().map_or_else(String::new, |why| format!("ERROR: {why}")),
            ]
        })
        .collect();
    output::columns(&["PLACE", "KIND", "NAME", "EXPLAINED BY", ""], &rows)
}
