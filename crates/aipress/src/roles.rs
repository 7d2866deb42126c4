//! The roles, each a process of this binary: reads what the supervisor laid out and runs one.

mod edge;
mod gateway;
mod limits;
mod meta;
mod shard;
mod units;

pub(crate) use limits::Asked;
pub(crate) use limits::confine;

use std::path::Path;

use aipress_drivers::DataPaths;
use aipress_kit::http::Endpoint;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen;
use aipress_kit::listen::Listener;
use anyhow::Context;

use crate::args::Role;
use crate::data;
use crate::exit::Failure;
use crate::settings::Settings;

/// What every role starts from.
struct Start {
    paths: DataPaths,
    settings: Settings,
    lifecycle: Lifecycle,
    asked: Asked,
}

/// Runs one role, which was confined, until it is asked to end.
pub(crate) async fn run(data: Option<&Path>, role: Role, asked: Asked) -> Result<(), Failure> {
    let paths = data::paths(data)?;
    let settings = Settings::load(&paths)?;
    let lifecycle = Lifecycle::from_signals().context("listen to signals")?;
    let start = Start { paths, settings, lifecycle, asked };
    match role {
        Role::Meta => meta::run(start).await?,
        Role::Edge => edge::run(start).await?,
        Role::Shard { id } => shard::run(start, id).await?,
        Role::Gateway { id } => gateway::run(start, id).await?,
    }
    Ok(())
}

/// Prints the API's description.
pub(crate) fn openapi() -> Result<(), Failure> {
    let text = aipress_meta::openapi().to_pretty_json().context("encode the description")?;
    crate::output::say(&(text + "\n"));
    Ok(())
}

/// Prints the JSON Schema of the tenant document.
pub(crate) fn schema() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&aipress_meta::tenant_schema())
        .context("encode the schema")?;
    crate::output::say(&(text + "\n"));
    Ok(())
}

/// The supervisor's socket of this name.
fn socket(name: &str) -> anyhow::Result<Listener> {
    listen::inherited(name)?
        .with_context(|| format!("no socket `{name}`: a role is started by `aipress up`"))
}

/// Meta's internal API.
fn meta_endpoint(paths: &DataPaths) -> Endpoint {
    Endpoint::Unix(paths.run().join("meta-internal.sock"))
}

/// The role's proof towards meta.
fn token(paths: &DataPaths, role: &str) -> anyhow::Result<String> {
    let path = paths.tokens().join(role);
    std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}
