//! `shard …`: cells of 50 sites.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ShardVerb {
    /// List shards
    #[command(after_help = examples!["aipress shard list"])]
    List,
    /// Show a shard
    #[command(after_help = examples!["aipress shard show aipress-shard-001"])]
    Show {
        /// Such as aipress-shard-001
        shard: String,
    },
    /// Take no new sites on a shard
    #[command(after_help = examples!["aipress shard cordon aipress-shard-001"])]
    Cordon {
        /// Such as aipress-shard-001
        shard: String,
    },
    /// Take new sites on a shard again
    #[command(after_help = examples!["aipress shard uncordon aipress-shard-001"])]
    Uncordon {
        /// Such as aipress-shard-001
        shard: String,
    },
}
