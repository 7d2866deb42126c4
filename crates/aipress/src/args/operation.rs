//! `operation …`: changes that take a while.

use clap::Subcommand;

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
