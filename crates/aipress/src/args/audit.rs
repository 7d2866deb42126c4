//! `audit …`: who did what.

use clap::Args as ClapArgs;
use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AuditVerb {
    /// List who did what, newest first
    #[command(visible_alias = "ls", after_help = examples![
        "aipress audit list",
        "aipress audit list --tenant bakery --action tenant.suspend",
        "aipress audit list --since 2026-11-01T00:00:00Z --limit 500 -o json",
    ])]
    List(AuditList),
    /// Look whether a row was changed, removed or added; exit code 1 when one was
    #[command(after_help = examples![
        "aipress audit verify",
        "aipress audit verify --account platform",
    ])]
    Verify {
        /// Only of this account (its id), or platform for rows of no account
        #[arg(long)]
        account: Option<String>,
    },
}

/// `audit list`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct AuditList {
    /// Only of this site (name or uid)
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only by this one, such as user:<uuid> or role:meta
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only this action, such as tenant.suspend
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only at or after this time, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = super::global::at_least_one)]
    pub(crate) limit: usize,
}
