//! `core …`: WordPress versions on this machine.

use clap::Subcommand;

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
