//! `tenant mail …`: what a site sent.

use clap::Args as ClapArgs;
use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum MailVerb {
    /// List what a site sent: what waits, was sent, came back or stays here
    #[command(visible_alias = "ls", after_help = examples![
        "aipress tenant mail list bakery",
        "aipress tenant mail list bakery -o json | jq '.items[0].recipients'",
    ])]
    List {
        /// Name or uid
        tenant: String,
    },
    /// Show one mail with its text, and what became of it for each recipient
    #[command(after_help = examples!["aipress tenant mail show bakery 019d1c2f3a4b5-k3Jx9Q"])]
    Show {
        /// Name or uid
        tenant: String,
        /// Its id
        id: String,
    },
    /// Send mail again, now: what came back, stays here or waits
    #[command(after_help = examples![
        "aipress tenant mail retry bakery 019d1c2f3a4b5-k3Jx9Q",
        "aipress tenant mail retry bakery --all",
        "aipress tenant mail retry bakery --all --dry-run",
    ])]
    Retry(MailPick),
    /// Remove mail; what waits is not sent
    #[command(visible_alias = "rm", after_help = examples![
        "aipress tenant mail delete bakery 019d1c2f3a4b5-k3Jx9Q",
        "aipress tenant mail delete bakery --all --yes",
    ])]
    Delete {
        #[command(flatten)]
        pick: MailPick,
        /// Don't ask before all of it is removed
        #[arg(long)]
        yes: bool,
    },
}

/// Which of a site's mail.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct MailPick {
    /// Name or uid
    pub(crate) tenant: String,
    /// Their ids
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<String>,
    /// All of the site's
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
}
