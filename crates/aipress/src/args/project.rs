//! `project …`: what shards live in.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProjectVerb {
    /// List projects
    #[command(after_help = examples![
        "aipress project list",
        "aipress project list -o json",
    ])]
    List,
}
