//! `operation …`: changes that take a while.

use crate::args::global::at_least_one;
use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum OperationVerb {
    /// List operations, newest first
    #[command(after_help = examples![
        "aipress operation list",
        "aipress operation list --tenant bakery --state failed",
        "aipress operation list --limit 500 -o json",
    ])]
    List {
        /// Only those of this site
        #[arg(long)]
        tenant: Option<String>,
        /// Only this state
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one)]
        limit: usize,
    },
    /// Show an operation
    #[command(after_help = examples!["aipress operation show 0198c2f4-6a1e-7c3b-9d5f-2e8a4b6c1d03"])]
    Show {
        /// Its id
        operation: String,
    },
    /// Follow an operation to its end
    #[command(after_help = examples![
        "aipress operation watch 0198c2f4-6a1e-7c3b-9d5f-2e8a4b6c1d03",
        "aipress operation watch 0198c2f4-6a1e-7c3b-9d5f-2e8a4b6c1d03 --timeout 60",
    ])]
    Watch {
        /// Its id
        operation: String,
        /// Seconds to wait at most
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout: u64,
    },
}
