//! `role …`: what the supervisor starts; hidden from people.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Role {
    /// The meta control plane
    Meta,
    /// The edge
    Edge,
    /// A shard's control plane
    Shard {
        /// Such as aipress-shard-001
        id: aipress_types::ShardId,
    },
    /// A shard's gateway
    Gateway {
        /// Such as aipress-shard-001
        id: aipress_types::ShardId,
    },
}
