//! Names that the platform knows, asked for while a person waits at a half-typed word: a short
//! time, one page, and silence when anything goes wrong.

use std::path::PathBuf;
use std::time::Duration;

use aipress_api::client::ListQuery;
use clap::CommandFactory;
use clap::FromArgMatches;

use crate::args::Args;
use crate::args::Connect;
use crate::cli::connect;
use crate::config::Config;
use crate::config::LOCAL;
use crate::settings::KEYS;

/// Longest that a key press waits.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Most names that are offered.
const MOST: usize = 200;

/// Names of sites that begin so.
pub(super) fn sites(beginning: &str) -> Vec<String> {
    let query = ListQuery::default().with("q", Some(beginning)).with("limit", Some(MOST));
    ask(async |client| {
        let page = client.tenant_list(&query).await.ok()?;
        Some(page.items.into_iter().map(|tenant| tenant.name).collect())
    })
}

/// Names of shards that begin so.
pub(super) fn shards(beginning: &str) -> Vec<String> {
    let query = ListQuery::default().with("limit", Some(MOST));
    ask(async |client| {
        let page = client.shard_list(&query).await.ok()?;
        let names = page.items.into_iter().map(|shard| shard.id);
        Some(names.filter(|name| name.starts_with(beginning)).collect())
    })
}

/// Ids of the newest operations that begin so.
pub(super) fn operations(beginning: &str) -> Vec<String> {
    let query = ListQuery::default().with("limit", Some(MOST));
    ask(async |client| {
        let page = client.operation_list(&query).await.ok()?;
        let ids = page.items.into_iter().map(|operation| operation.id.to_string());
        Some(ids.filter(|id| id.starts_with(beginning)).collect())
    })
}

/// Ids of webhooks that begin so.
pub(super) fn webhooks(beginning: &str) -> Vec<String> {
    let query = ListQuery::default().with("limit", Some(MOST));
    ask(async |client| {
        let page = client.webhook_list(&query).await.ok()?;
        let ids = page.items.into_iter().map(|webhook| webhook.id.to_string());
        Some(ids.filter(|id| id.starts_with(beginning)).collect())
    })
}

/// Names of plugins and themes in the mirror that begin so.
pub(super) fn packages(beginning: &str) -> Vec<String> {
    let query = ListQuery::default().with("limit", Some(MOST));
    ask(async |client| {
        let page = client.package_list(&query).await.ok()?;
        let names = page.items.into_iter().map(|package| package.name);
        let mut names: Vec<String> = names.filter(|name| name.starts_with(beginning)).collect();
        names.dedup();
        Some(names)
    })
}

/// Names of contexts that begin so; nobody is asked.
pub(super) fn contexts(beginning: &str) -> Vec<String> {
    let config = Config::load().unwrap_or_default();
    let names = std::iter::once(LOCAL.to_owned()).chain(config.contexts.into_keys());
    names.filter(|name| name.starts_with(beginning)).collect()
}

/// Settings that begin so.
pub(super) fn settings(beginning: &str) -> Vec<String> {
    let names = KEYS.iter().map(|key| key.name.to_owned());
    names.filter(|name| name.starts_with(beginning)).collect()
}

fn ask(
    question: impl AsyncFnOnce(aipress_api::client::ApiClient) -> Option<Vec<String>>,
) -> Vec<String> {
    let answer = || {
        let (data, connect) = asked_for()?;
        let client = connect::client(data.as_deref(), &connect).ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, question(client)).await.ok()? })
    };
    answer().unwrap_or_default()
}

/// Which platform the line that is being typed means. It is not whole yet, so the parser forgives
/// what is missing or unknown.
fn asked_for() -> Option<(Option<PathBuf>, Connect)> {
    let typed = std::env::args_os().skip_while(|word| word != "--").skip(1);
    let matches = Args::command()
        .ignore_errors(true)
        .subcommand_required(false)
        .try_get_matches_from(typed)
        .ok()?;
    let data = matches.try_get_one::<PathBuf>("data").ok().flatten().cloned();
    let mut connect = Connect::from_arg_matches(&matches).ok()?;
    connect.note_sources(&matches);
    Some((data, connect))
}
