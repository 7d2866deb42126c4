//! `project …`: what shards live in.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProjectVerb {
    /// List projects
    List,
}
