//! `tenant …`: sites.

use clap::Args as ClapArgs;
use clap::Subcommand;

use crate::args::Guarded;
use crate::args::MailVerb;
use crate::args::Plain;
use crate::args::PluginVerb;
use crate::args::TenantClone;
use crate::args::TenantExport;
use crate::args::TenantImport;
use crate::args::TenantLogs;
use crate::args::ThemeVerb;
use crate::args::Wait;
use crate::args::global::at_least_one;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TenantVerb {
    /// Make a site
    #[command(after_help = examples![
        "aipress tenant create bakery",
        r#"aipress tenant create bakery --title "Crumbs Bakery" --tier silver"#,
        "aipress tenant create shop --wordpress 6.8 --admin-email me@example.org",
        "aipress tenant create shop --no-wait -o json | jq -r .id",
    ])]
    Create(TenantCreate),
    /// List sites
    #[command(visible_alias = "ls", after_help = examples![
        "aipress tenant list",
        "aipress tenant list --state active,failed --tier gold",
        "aipress tenant list --label team=shops",
        "aipress tenant list --name shop- --sort -createdAt --limit 20",
        "aipress tenant list --columns name,url",
        "aipress tenant list -o name",
    ])]
    List(TenantList),
    /// Show a site; with -o yaml its document, which `aipress apply` takes
    #[command(after_help = examples![
        "aipress tenant show bakery",
        "aipress tenant show bakery -o yaml > bakery.yaml",
    ])]
    Show {
        /// Name or uid
        tenant: String,
    },
    /// Change a site
    #[command(after_help = examples![
        "aipress tenant update bakery --tier gold",
        "aipress tenant update bakery --set wordpress.version=6.8",
    ])]
    Update(TenantUpdate),
    /// Write a site into one file: document, database, wp-content
    ///
    /// The file (.aip) is a tar compressed by zstd: `zstd -d < bakery.aip | tar t` lists it,
    /// `sha256sum -c checksums.sha256` proves what was unpacked.
    #[command(after_help = examples![
        "aipress tenant export bakery > bakery.aip",
        "aipress tenant export bakery --file bakery.aip",
        "aipress tenant export bakery --passphrase-file secret.txt > bakery.aip.age",
    ])]
    Export(TenantExport),
    /// Make a site of an archive, or of a WordPress from anywhere
    ///
    /// The site is there whole in the end, or not at all. What will not work here is told first.
    #[command(after_help = examples![
        "aipress tenant import bakery.aip --name bakery-2",
        "aipress tenant import - --name bakery-2 < bakery.aip",
        "aipress tenant import bakery.aip --name bakery-2 --check",
        "aipress tenant import b.aip.age --name bakery-2 --passphrase-file secret.txt",
        "aipress tenant import --name shop --from-sql dump.sql.gz --files public_html",
    ])]
    Import(TenantImport),
    /// Make a new site of a site: database and files as they are now, its own address
    #[command(after_help = examples!["aipress tenant clone bakery bakery-2"])]
    Clone(TenantClone),
    /// Delete a site: its slot is freed, it can be undeleted for 7 days
    #[command(visible_alias = "rm", after_help = examples![
        "aipress tenant delete bakery",
        "aipress tenant delete bakery --yes --no-wait",
    ])]
    Delete(Guarded),
    /// Bring a deleted site back
    #[command(after_help = examples!["aipress tenant undelete bakery"])]
    Undelete(Plain),
    /// Erase a deleted site for good
    #[command(after_help = examples![
        "aipress tenant erase bakery",
        "aipress tenant erase bakery --yes",
    ])]
    Erase(Guarded),
    /// Stop serving a site; nothing is removed
    #[command(after_help = examples!["aipress tenant suspend bakery"])]
    Suspend(Guarded),
    /// Serve a suspended site again
    #[command(after_help = examples!["aipress tenant resume bakery"])]
    Resume(Plain),
    /// Give a site new passwords and salts; no request fails, salts sign people out
    ///
    /// The old passwords go when nobody can come with them any more: PHP's workers end after the
    /// request that they are at. New salts sign everybody out of wp-admin; `--only database,cache`
    /// leaves them.
    #[command(after_help = examples![
        "aipress tenant rotate-secrets bakery",
        "aipress tenant rotate-secrets bakery --only database,cache",
        "aipress tenant rotate-secrets bakery --dry-run",
    ])]
    RotateSecrets(TenantRotateSecrets),
    /// Make a link that signs in to wp-admin once
    #[command(after_help = examples![
        "aipress tenant login bakery",
        "aipress tenant login bakery --user anna",
    ])]
    Login {
        /// Name or uid
        tenant: String,
        /// WordPress user [default: the first administrator]
        #[arg(long)]
        user: Option<String>,
    },
    /// Show what a site has: WordPress, plugins, themes, users, sizes
    #[command(after_help = examples![
        "aipress tenant inventory bakery",
        "aipress tenant inventory bakery --refresh",
        "aipress tenant inventory bakery -o json | jq '.site.plugins'",
    ])]
    Inventory {
        /// Name or uid
        tenant: String,
        /// Look now instead of showing what was seen last
        #[arg(long)]
        refresh: bool,
    },
    /// Show when a site's scheduled events are due, and how often it was woken
    #[command(after_help = examples![
        "aipress tenant cron bakery",
        "aipress tenant cron bakery -o json | jq '.wakes[0].count'",
    ])]
    Cron {
        /// Name or uid
        tenant: String,
    },
    /// Mail that a site sent: list, show, retry, delete
    #[command(after_help = examples![
        "aipress tenant mail list bakery",
        "aipress tenant mail retry bakery --all",
    ])]
    Mail {
        #[command(subcommand)]
        verb: MailVerb,
    },
    /// Plugins of a site: list, install, activate, deactivate, update, remove
    #[command(after_help = examples![
        "aipress tenant plugin list bakery",
        "aipress tenant plugin install bakery akismet",
    ])]
    Plugin {
        #[command(subcommand)]
        verb: PluginVerb,
    },
    /// Themes of a site: list, install, activate, update, remove
    #[command(after_help = examples![
        "aipress tenant theme list bakery",
        "aipress tenant theme install bakery twentytwentyfive",
    ])]
    Theme {
        #[command(subcommand)]
        verb: ThemeVerb,
    },
    /// Run a wp command in a site's sandbox, as its own user
    ///
    /// By wp-cli where `wpCli` in config.json names its archive, else by the platform's own agent,
    /// which has the everyday commands: `aipress tenant wp NAME -- help` lists them. Ends with the
    /// command's own status, 124 at the time limit.
    #[command(after_help = examples![
        "aipress tenant wp bakery -- plugin list",
        "aipress tenant wp bakery -- plugin deactivate broken --skip-plugins",
        "aipress tenant wp bakery -- search-replace old.test new.test --dry-run",
        "aipress tenant wp bakery --stdin -- option update blogdescription < motto.txt",
    ])]
    Wp(TenantWp),
    /// Read a site's log: requests, PHP errors, slow requests, cron, mail
    #[command(after_help = examples![
        "aipress tenant logs bakery",
        "aipress tenant logs bakery --follow",
        "aipress tenant logs bakery --level error --since 2h",
        "aipress tenant logs bakery --source access --contains /wp-login.php -o json",
        "aipress tenant logs bakery --contains 8c1f04ab6f3c4d0a9a3f5b7e2d1c6f80",
    ])]
    Logs(TenantLogs),
    /// Open a site in the browser, or print its address where there is none
    #[command(after_help = examples!["aipress tenant open bakery"])]
    Open {
        /// Name or uid
        tenant: String,
    },
}

/// `tenant wp`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantWp {
    /// Name or uid
    pub(crate) tenant: String,
    /// Pass standard input on to the command
    #[arg(long)]
    pub(crate) stdin: bool,
    /// End the command after this many seconds [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) time_limit: Option<u32>,
    /// What would follow `wp`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// `tenant create`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantCreate {
    /// Name, for ever: 3 to 40 of a-z, 0-9 and -
    pub(crate) name: String,
    /// Title of the site [default: the name]
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// bronze, silver or gold
    #[arg(long, default_value = "bronze")]
    pub(crate) tier: aipress_types::Tier,
    /// Region, such as europe-west1 [default: any]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// WordPress version, such as 6.8 [default: the platform's]
    #[arg(long, value_name = "VERSION")]
    pub(crate) wordpress: Option<String>,
    /// Address of the first administrator
    #[arg(long, value_name = "EMAIL")]
    pub(crate) admin_email: Option<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `tenant list`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantList {
    /// Only this state
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only this tier
    #[arg(long)]
    pub(crate) tier: Option<String>,
    /// Only this shard
    #[arg(long)]
    pub(crate) shard: Option<String>,
    /// Only those with these labels, such as team=shops,env=prod
    #[arg(long, short = 'l', value_name = "NAME=VALUE")]
    pub(crate) label: Option<String>,
    /// Only names that begin so
    #[arg(long, value_name = "PREFIX")]
    pub(crate) name: Option<String>,
    /// Order: name, createdAt or updatedAt; - before it turns it around
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: Option<usize>,
}

/// `tenant rotate-secrets`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantRotateSecrets {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Only these: database, cache, salts [default: all]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) only: Vec<aipress_api::SecretKind>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `tenant update`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantUpdate {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// bronze, silver or gold
    #[arg(long)]
    pub(crate) tier: Option<aipress_types::Tier>,
    /// Any field of the spec, such as wordpress.version=6.8 (null takes it back to its default)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}
