//! `shard …`: cells of 50 sites.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ShardVerb {
    /// List shards
    List,
    /// Show a shard
    Show {
        /// Such as aipress-shard-001
        shard: String,
    },
    /// Take no new sites on a shard
    Cordon {
        /// Such as aipress-shard-001
        shard: String,
    },
    /// Take new sites on a shard again
    Uncordon {
        /// Such as aipress-shard-001
        shard: String,
    },
}
