//! `route`: where a site lives.

use clap::Args as ClapArgs;

/// `route`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Route {
    /// Name of the site (it need not exist with --shards)
    pub(crate) name: String,
    /// Print the home shard in a federation of this size, without asking anybody
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shards: Option<u32>,
}
