//! `audit …`: who did what.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AuditVerb {
    /// List who did what, newest first
    #[command(visible_alias = "ls", after_help = examples![
        "aipress audit list",
        "aipress audit list --tenant bakery --action tenant.suspend",
        "aipress audit list --since 2026-11-01T00:00:00Z --limit 500 -o json",
        "aipress audit list --text unpaid",
    ])]
    List(AuditList),
    /// Print all rows that fit, newest first, as JSON Lines or CSV
    #[command(after_help = examples![
        "aipress audit export > audit.jsonl",
        "aipress audit export --format csv --since 2026-11-01T00:00:00Z > november.csv",
    ])]
    Export(AuditExport),
    /// Look whether a row was changed, removed or added; exit code 1 when one was
    #[command(after_help = examples![
        "aipress audit verify",
        "aipress audit verify --account platform",
        "aipress audit verify --checkpoints copy.jsonl --public-key audit.pem",
    ])]
    Verify(AuditVerify),
    /// Print the public key that checkpoints are signed with
    #[command(after_help = examples!["aipress audit key > audit.pem"])]
    Key,
}

/// `audit verify`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct AuditVerify {
    /// Only of this account (its id), or platform for rows of no account
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Compare with this copy of the file of checkpoints, too
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Option<PathBuf>,
    /// File of the key that signed the copy [default: what the platform says]
    #[arg(long, value_name = "FILE", requires = "checkpoints")]
    pub(crate) public_key: Option<PathBuf>,
}

/// Which rows.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct AuditPick {
    /// Only of this site (name or uid)
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only by this one, such as user:UUID or role:meta
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
    /// Only of this request
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// Only with this text in name, before, after or reason
    #[arg(long)]
    pub(crate) text: Option<String>,
}

/// `audit list`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct AuditList {
    #[command(flatten)]
    pub(crate) pick: AuditPick,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = super::global::at_least_one)]
    pub(crate) limit: usize,
}

/// `audit export`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct AuditExport {
    /// What lines are written as: jsonl or csv
    #[arg(long, default_value = "jsonl", value_parser = ["jsonl", "csv"])]
    pub(crate) format: String,
    #[command(flatten)]
    pub(crate) pick: AuditPick,
}
