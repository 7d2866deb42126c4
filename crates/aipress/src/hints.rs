//! What may help after a failure: which platform was meant, whose token it was, which name was
//! probably meant.

use std::path::Path;
use std::time::Duration;

use aipress_api::Problem;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_api::client::ListQuery;
use aipress_kit::http::ClientError;

use crate::args::Connect;
use crate::cli::connect;
use crate::config::Origin;
use crate::config::Target;
use crate::exit::Failure;
use crate::words;

/// Longest time that looking for a better name may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Names that are looked at.
const NAMES: usize = 500;

/// Lines to print below the failure.
pub(crate) async fn after(failure: &Failure, data: Option<&Path>, how: &Connect) -> Vec<String> {
    match failure {
        Failure::Api(ApiError::Transport(error)) => unreachable_platform(error, data, how),
        Failure::Api(ApiError::Problem(problem)) => match problem.status {
            401 => not_signed_in(data, how),
            404 if problem.code == "not_observed_yet" => {
                vec!["`aipress tenant inventory NAME --refresh` looks now.".to_owned()]
            }
            404 => {
                let meant = tokio::time::timeout(PATIENCE, meant(problem, data, how)).await;
                meant.ok().flatten().into_iter().collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn unreachable_platform(error: &ClientError, data: Option<&Path>, how: &Connect) -> Vec<String> {
    let Ok(target) = Target::resolve(data, how) else { return Vec::new() };
    let mut hints = vec![format!("That is {} ({}).", target.server, target.origin)];
    let here = match &target.origin {
        Origin::Local(_) => true,
        Origin::Context { name, .. } => name == crate::config::LOCAL,
        Origin::Flag | Origin::Variable => false,
    };
    if here {
        if matches!(error, ClientError::Connect { .. }) {
            hints.push(
                "Is the platform running? `aipress status` looks, `aipress up --detach` starts it."
                    .to_owned(),
            );
        }
    } else {
        hints.push(
            "Is it the right one? `aipress context list` shows those that you have.".to_owned(),
        );
    }
    hints
}

fn not_signed_in(data: Option<&Path>, how: &Connect) -> Vec<String> {
    let Ok(target) = Target::resolve(data, how) else { return Vec::new() };
    let used = if target.token.is_some() {
        format!("The token from {} is not one of {}.", target.token_from, target.server)
    } else {
        format!("No token was sent to {} ({}).", target.server, target.origin)
    };
    vec![
        used,
        "Give one with --token-file or AIPRESS_TOKEN, or keep one with `aipress context add`. On \
         the machine itself, root finds the first administrator's below the data folder."
            .to_owned(),
    ]
}

/// What helps when something is not there: of sites and shards the name that was probably meant.
async fn meant(problem: &Problem, data: Option<&Path>, how: &Connect) -> Option<String> {
    let instance = problem.instance.as_deref()?;
    let mut parts = instance.strip_prefix("/v1/")?.split(['/', '?']);
    let (noun, name) = (parts.next()?, parts.next()?);
    let client = connect::client(data, how).ok()?;
    let (what, names) = match noun {
        "tenants" => ("site", sites(&client, name).await?),
        "shards" => {
            let page = client.shard_list(&ListQuery::default()).await.ok()?;
            ("shard", page.items.into_iter().map(|shard| shard.id).collect())
        }
        "plans" => {
            return Some(
                "A plan is kept for a day after its 15 minutes; --dry-run makes one.".into(),
            );
        }
        "operations" | "webhooks" | "packages" => {
            let noun = noun.trim_end_matches('s');
            return Some(format!("`aipress {noun} list` shows every {noun}."));
        }
        _ => return None,
    };
    let hint = match words::closest(name, names.iter().map(String::as_str)) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => format!("`aipress {} list` shows every {what}.", noun.trim_end_matches('s')),
    };
    Some(hint)
}

/// Names of sites: those that begin alike, and when there are none, the first of all.
async fn sites(client: &ApiClient, name: &str) -> Option<Vec<String>> {
    let beginning: String = name.chars().take(2).collect();
    for q in [Some(beginning), None] {
        let query = ListQuery::default().with("q", q).with("limit", Some(NAMES));
        let page = client.tenant_list(&query).await.ok()?;
        let names: Vec<String> = page.items.into_iter().map(|tenant| tenant.name).collect();
        if words::closest(name, names.iter().map(String::as_str)).is_some() {
            return Some(names);
        }
    }
    Some(Vec::new())
}
