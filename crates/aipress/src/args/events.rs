//! `events`: what happened, and what happens.

use clap::Args as ClapArgs;

/// `events`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Events {
    /// Go on with what happens, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only of this site (name or uid)
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only of this shard
    #[arg(long)]
    pub(crate) shard: Option<String>,
    /// Only this kind, such as tenant.create or "tenant.*" (several times or with commas)
    #[arg(long, value_delimiter = ',')]
    pub(crate) kind: Vec<String>,
    /// Everything after this event (its id; oldest for all that is kept)
    #[arg(long, value_name = "ID", conflicts_with = "limit")]
    pub(crate) since: Option<String>,
    /// So many of the newest events [default: 50; 10 with --follow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: Option<u32>,
}
