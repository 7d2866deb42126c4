//! `up`: starts the platform.

use std::net::SocketAddr;

use clap::Args as ClapArgs;

/// `up`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Up {
    /// Address that the edge listens on [default: 127.0.0.1:8080, or what it was before]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Shards on this machine, 50 sites each [default: 2, or what it was before]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::settings::MAX_SHARDS)))]
    pub(crate) shards: Option<u32>,
    /// First Unix id of the platform's users [default: 70000, or what it was before]
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u32).range(1000..=1_000_000_000))]
    pub(crate) uid_base: Option<u32>,
    /// WordPress core that new sites get [default: the newest stable one that can be had]
    #[arg(long, value_name = "VERSION")]
    pub(crate) wordpress: Option<String>,
    /// Start in the background; return when everything is up
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Do not make the first site `hello`
    #[arg(long)]
    pub(crate) no_hello: bool,
}
