//! `aipress shard …`

use std::path::Path;

use aipress_api::ShardPatch;
use aipress_api::ShardView;
use aipress_api::client::ListQuery;
use aipress_types::ShardSchedulability;

use crate::args::Connect;
use crate::args::Output;
use crate::args::ShardVerb;
use crate::cli::connect;
use crate::exit::Failure;
use crate::output;

/// Calls one verb.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: ShardVerb,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    let patch = |schedulability| ShardPatch { schedulability };
    let shard = match verb {
        ShardVerb::List => {
            let mut shards = Vec::new();
            let mut cursor = None;
            loop {
                let page = client.shard_list(&ListQuery::default().with("cursor", cursor)).await?;
                shards.extend(page.items);
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            return output::list(
                output,
                &shards,
                "No shards have come up yet: `aipress status`.",
                list,
            );
        }
        ShardVerb::Show { shard } => client.shard_fetch(&shard).await?,
        ShardVerb::Cordon { shard } => {
            client.shard_update(&shard, &patch(ShardSchedulability::Cordoned)).await?
        }
        ShardVerb::Uncordon { shard } => {
            client.shard_update(&shard, &patch(ShardSchedulability::Open)).await?
        }
    };
    output::print(output, &shard, one)?;
    Ok(())
}

fn list(shards: &[ShardView]) -> String {
    let rows: Vec<Vec<String>> = shards
        .iter()
        .map(|shard| {
            vec![
                shard.id.clone(),
                shard.region.clone(),
                shard.health.as_str().to_owned(),
                shard.schedulability.as_str().to_owned(),
                format!("{}/{}", shard.taken, shard.slots),
                shard.message.clone().unwrap_or_default(),
            ]
        })
        .collect();
    output::columns(&["SHARD", "REGION", "HEALTH", "SCHEDULABILITY", "SITES", "MESSAGE"], &rows)
}

fn one(shard: &ShardView) -> String {
    output::fields(&[
        ("Shard", shard.id.clone()),
        ("Project", shard.project.clone()),
        ("Region", shard.region.clone()),
        ("Health", shard.health.as_str().to_owned()),
        ("Message", shard.message.clone().unwrap_or_default()),
        ("Schedulability", shard.schedulability.as_str().to_owned()),
        ("Sites", format!("{} of {}", shard.taken, shard.slots)),
    ])
}
