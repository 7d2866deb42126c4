//! `context …`: the platforms that a person talks to.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ContextVerb {
    /// List contexts; `local` is the platform of the data folder
    #[command(visible_alias = "ls", after_help = examples!["aipress context list"])]
    List,
    /// Show which platform commands talk to, and why
    #[command(after_help = examples![
        "aipress context show",
        "aipress context show --context prod",
    ])]
    Show,
    /// Let commands talk to this platform from now on
    #[command(after_help = examples!["aipress context use prod", "aipress context use local"])]
    Use {
        /// Name of the context
        #[arg(value_name = "CONTEXT")]
        name: String,
    },
    /// Add a platform: its address by --server, the token by --token-file
    #[command(after_help = examples![
        "aipress context add prod --server https://console.example.org --token-file t",
        "aipress context add prod --server https://10.0.0.5 --ca-file ca.pem --use",
        "aipress context add ci --server https://c.example.org --token-stdin < t",
    ])]
    Add(ContextAdd),
    /// Forget a platform; nothing happens to the platform itself
    #[command(visible_alias = "rm", after_help = examples!["aipress context remove prod"])]
    Remove {
        /// Name of the context
        #[arg(value_name = "CONTEXT")]
        name: String,
    },
}

/// `context add`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ContextAdd {
    /// Name: letters, digits, hyphens and underscores
    pub(crate) name: String,
    /// Read the token from standard input, and keep it in config.yaml
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) token_stdin: bool,
    /// Authorities (PEM) that vouch for an https server [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Let commands talk to it from now on
    #[arg(long = "use")]
    pub(crate) select: bool,
    /// Replace a context of this name
    #[arg(long)]
    pub(crate) replace: bool,
}
