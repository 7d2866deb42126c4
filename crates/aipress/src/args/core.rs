//! `core …`: WordPress versions on this machine.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CoreVerb {
    /// List the versions that are there
    #[command(after_help = examples![
        "aipress core list",
        "aipress core list -o json",
    ])]
    List,
    /// Get a version, such as 6.8; the newest without one
    #[command(after_help = examples![
        "aipress core fetch",
        "aipress core fetch 6.8",
        "aipress core fetch 6.1.9",
    ])]
    Fetch {
        /// Version or branch
        // The id `version` is that of clap's own `--version`.
        #[arg(id = "core-version", value_name = "VERSION")]
        version: Option<String>,
    },
}
