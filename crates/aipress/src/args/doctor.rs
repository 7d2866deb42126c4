//! `doctor`: checks.

use clap::Args as ClapArgs;

/// `doctor`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Doctor {
    /// List everything that exists beside the row that explains it
    #[arg(long)]
    pub(crate) inventory: bool,
}
