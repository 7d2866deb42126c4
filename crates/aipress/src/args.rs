//! The command line: flags of every verb, the verbs, and the words of `--help`. Each noun has a file
//! of its own below `args/`; a verb is a line in an enum there.

mod change;
mod clean_data;
mod core;
mod doctor;
mod operation;
mod project;
mod role;
mod route;
mod shard;
mod tenant;
mod up;

pub(crate) use change::Guarded;
pub(crate) use change::Plain;
pub(crate) use change::Wait;
pub(crate) use clean_data::CleanData;
pub(crate) use core::CoreVerb;
pub(crate) use doctor::Doctor;
pub(crate) use operation::OperationVerb;
pub(crate) use project::ProjectVerb;
pub(crate) use role::Role;
pub(crate) use route::Route;
pub(crate) use shard::ShardVerb;
pub(crate) use tenant::TenantCreate;
pub(crate) use tenant::TenantList;
pub(crate) use tenant::TenantUpdate;
pub(crate) use tenant::TenantVerb;
pub(crate) use up::Up;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

/// Hosts WordPress sites: on this machine with `aipress up`, driven by the other verbs.
#[derive(Debug, Parser)]
#[command(name = "aipress", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused, \
    5 not signed in or not allowed, 6 platform not reachable or failing, 7 not done in time, \
    8 declined at the question. See docs/CLI.md.")]
pub(crate) struct Args {
    /// Data folder [default: /var/lib/aipress as root, ~/.local/share/aipress otherwise]
    #[arg(long, global = true, env = "AIPRESS_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// How results are printed
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) connect: Connect,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// How the API is reached.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Connect {
    /// Address of the API [default: that of the platform in the data folder]
    #[arg(long, global = true, env = "AIPRESS_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,

    /// File with an API token; the variable AIPRESS_TOKEN holds one itself [default: the first
    /// platform-admin's, below the data folder]
    #[arg(long, global = true, env = "AIPRESS_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// The API's own JSON.
    Json,
    /// The same as YAML.
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start the platform on this machine
    Up(Up),
    /// Stop the platform; data stays
    Down,
    /// Show what is running
    Status,
    /// Check what the platform needs and what is running, and say what to do
    Doctor(Doctor),
    /// Remove all data of a stopped platform (asks first)
    CleanData(CleanData),
    /// WordPress core versions on this machine
    #[command(subcommand)]
    Core(CoreVerb),
    /// Sites
    #[command(subcommand)]
    Tenant(TenantVerb),
    /// Shards: cells of 50 sites
    #[command(subcommand)]
    Shard(ShardVerb),
    /// Projects that shards live in
    #[command(subcommand)]
    Project(ProjectVerb),
    /// Long-running changes
    #[command(subcommand)]
    Operation(OperationVerb),
    /// Show where a site lives, or would live
    Route(Route),
    /// Print the API's description (OpenAPI 3.1)
    #[command(hide = true)]
    Openapi,
    /// Run one role; the supervisor calls this
    #[command(subcommand, hide = true)]
    Role(Role),
}

impl Verb {
    /// Whether it runs on and logs, instead of talking to a person.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self, Self::Role(_)) || matches!(self, Self::Up(up) if !up.detach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
