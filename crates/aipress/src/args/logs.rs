//! `tenant logs`: what a site's requests, PHP, cron and mail had to say.

use aipress_api::LogSource;
use aipress_api::Severity;
use clap::Args as ClapArgs;

/// `tenant logs`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantLogs {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Go on with lines as they come, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Not before: how long ago (90s, 15m, 2h, 3d), or a time (RFC 3339)
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Before; like --since
    #[arg(long, value_name = "WHEN", conflicts_with = "follow")]
    pub(crate) until: Option<String>,
    /// As bad as this, or worse: info, notice, warning, error
    #[arg(long)]
    pub(crate) level: Option<Severity>,
    /// Only of these: access, cron, mail, php, platform, slow (several times or with commas)
    #[arg(long, value_delimiter = ',')]
    pub(crate) source: Vec<LogSource>,
    /// Only lines with this text, such as a path, an address or a request id
    #[arg(long, value_name = "TEXT")]
    pub(crate) contains: Option<String>,
    /// So many of the newest lines [default: 100; 10 with --follow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: Option<u32>,
}
