//! The command line: verbs, arguments, and the words of `--help`.

use std::net::SocketAddr;
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

/// `up`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Up {
    /// Address that the edge listens on [default: 127.0.0.1:8080, or what it was before]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Shards on this machine, 50 sites each [default: 2, or what it was before]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::settings::MAX_SHARDS)))]
    pub(crate) shards: Option<u32>,
    /// First Unix id of the platform's users [default: 70000, or what it was before]
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u32).range(1000..=1_000_000_000))]
    pub(crate) uid_base: Option<u32>,
    /// WordPress core that new sites get [default: the newest stable one that can be had]
    #[arg(long, value_name = "VERSION")]
    pub(crate) wordpress: Option<String>,
    /// Start in the background; return when everything is up
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Do not make the first site `hello`
    #[arg(long)]
    pub(crate) no_hello: bool,
}

/// `doctor`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Doctor {
    /// List everything that exists beside the row that explains it
    #[arg(long)]
    pub(crate) inventory: bool,
}

/// `clean-data`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct CleanData {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CoreVerb {
    /// List the versions that are there
    List,
    /// Get a version, such as 6.8; the newest without one
    Fetch {
        /// Version or branch
        // The id `version` is that of clap's own `--version`.
        #[arg(id = "core-version", value_name = "VERSION")]
        version: Option<String>,
    },
}

/// How a change is waited for.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct Wait {
    /// Wait for the end and show the steps (the default)
    #[arg(long, overrides_with = "no_wait")]
    pub(crate) wait: bool,
    /// Return as soon as the change is recorded
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Seconds to wait at most
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
}

/// A change that asks to type the name.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Guarded {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Do not ask to type the name
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// A change that does not ask.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Plain {
    /// Name or uid of the site
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TenantVerb {
    /// Make a site
    Create(TenantCreate),
    /// List sites
    #[command(visible_alias = "ls")]
    List(TenantList),
    /// Show a site
    Show {
        /// Name or uid
        tenant: String,
    },
    /// Change a site
    Update(TenantUpdate),
    /// Delete a site: its slot is freed, it can be undeleted for 7 days
    #[command(visible_alias = "rm")]
    Delete(Guarded),
    /// Bring a deleted site back
    Undelete(Plain),
    /// Erase a deleted site for good
    Erase(Guarded),
    /// Stop serving a site; nothing is removed
    Suspend(Guarded),
    /// Serve a suspended site again
    Resume(Plain),
    /// Make a link that signs in to wp-admin once
    Login {
        /// Name or uid
        tenant: String,
        /// WordPress user [default: the first administrator]
        #[arg(long)]
        user: Option<String>,
    },
    /// Open a site in the browser, or print its address where there is none
    Open {
        /// Name or uid
        tenant: String,
    },
}

/// `tenant create`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantCreate {
    /// Name, for ever: 3 to 40 of a-z, 0-9 and -
    pub(crate) name: String,
    /// Title of the site [default: the name]
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// bronze, silver or gold
    #[arg(long, default_value = "bronze")]
    pub(crate) tier: aipress_types::Tier,
    /// Region, such as europe-west1 [default: any]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// WordPress version, such as 6.8 [default: the platform's]
    #[arg(long, value_name = "VERSION")]
    pub(crate) wordpress: Option<String>,
    /// Address of the first administrator
    #[arg(long, value_name = "EMAIL")]
    pub(crate) admin_email: Option<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `tenant list`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantList {
    /// Only this state
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only this tier
    #[arg(long)]
    pub(crate) tier: Option<String>,
    /// Only this shard
    #[arg(long)]
    pub(crate) shard: Option<String>,
    /// Only names that begin so
    #[arg(long, value_name = "PREFIX")]
    pub(crate) name: Option<String>,
    /// Order: name, createdAt or updatedAt; - before it turns it around
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// At most so many
    #[arg(long)]
    pub(crate) limit: Option<usize>,
}

/// `tenant update`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantUpdate {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// bronze, silver or gold
    #[arg(long)]
    pub(crate) tier: Option<aipress_types::Tier>,
    /// Any field of the spec, such as wordpress.version=6.8 (null takes it back to its default)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ShardVerb {
    /// List shards
    List,
    /// Show a shard
    Show {
        /// Such as aipress-shard-001
        shard: String,
    },
    /// Take no new sites on a shard
    Cordon {
        /// Such as aipress-shard-001
        shard: String,
    },
    /// Take new sites on a shard again
    Uncordon {
        /// Such as aipress-shard-001
        shard: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProjectVerb {
    /// List projects
    List,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum OperationVerb {
    /// List operations, newest first
    List {
        /// Only those of this site
        #[arg(long)]
        tenant: Option<String>,
        /// Only this state
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show an operation
    Show {
        /// Its id
        operation: String,
    },
    /// Follow an operation to its end
    Watch {
        /// Its id
        operation: String,
        /// Seconds to wait at most
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout: u64,
    },
}

/// `route`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Route {
    /// Name of the site (it need not exist with --shards)
    pub(crate) name: String,
    /// Print the home shard in a federation of this size, without asking anybody
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shards: Option<u32>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Role {
    /// The meta control plane
    Meta,
    /// The edge
    Edge,
    /// A shard's control plane
    Shard {
        /// Such as aipress-shard-001
        id: aipress_types::ShardId,
    },
    /// A shard's gateway
    Gateway {
        /// Such as aipress-shard-001
        id: aipress_types::ShardId,
    },
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
