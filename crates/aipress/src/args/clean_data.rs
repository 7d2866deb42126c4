//! `clean-data`: removes what a stopped platform left.

use clap::Args as ClapArgs;

/// `clean-data`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct CleanData {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
