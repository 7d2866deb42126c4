//! `tenant plugin …` and `tenant theme …`: plugins and themes of one site.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::Subcommand;

use crate::args::Wait;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PluginVerb {
    /// List a site's plugins: what its document names, and what else was seen there
    #[command(visible_alias = "ls", after_help = examples![
        "aipress tenant plugin list bakery",
        "aipress tenant plugin list bakery -o json | jq '.[].updateVersion'",
    ])]
    List {
        /// Name or uid
        tenant: String,
    },
    /// Install a plugin and switch it on; one that breaks the site is taken back
    #[command(after_help = examples![
        "aipress tenant plugin install bakery akismet",
        "aipress tenant plugin install bakery akismet --version 5.3 --inactive",
        "aipress tenant plugin install bakery --file ./my-plugin.zip",
        "aipress tenant plugin install bakery akismet --dry-run",
    ])]
    Install(PluginInstall),
    /// Switch a plugin on
    #[command(after_help = examples!["aipress tenant plugin activate bakery akismet"])]
    Activate(SitePackage),
    /// Switch a plugin off; it stays installed
    #[command(after_help = examples!["aipress tenant plugin deactivate bakery akismet"])]
    Deactivate(SitePackage),
    /// Update a plugin, to its newest version or another; taken back if it breaks
    #[command(after_help = examples![
        "aipress tenant plugin update bakery akismet",
        "aipress tenant plugin update bakery akismet --version 5.2",
        "aipress tenant plugin update bakery my-plugin --file ./my-plugin-2.zip",
    ])]
    Update(SitePackageUpdate),
    /// Remove a plugin from a site, whoever installed it
    #[command(visible_alias = "rm")]
    #[command(after_help = examples!["aipress tenant plugin remove bakery akismet"])]
    Remove(SitePackage),
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ThemeVerb {
    /// List a site's themes: what its document names, and what else was seen there
    #[command(visible_alias = "ls", after_help = examples!["aipress tenant theme list bakery"])]
    List {
        /// Name or uid
        tenant: String,
    },
    /// Install a theme; with --activate the site is made with it
    #[command(after_help = examples![
        "aipress tenant theme install bakery twentyten --activate",
        "aipress tenant theme install bakery --file ./my-theme.zip",
    ])]
    Install(ThemeInstall),
    /// Make the site with this theme; the one before stays installed
    #[command(after_help = examples!["aipress tenant theme activate bakery twentyten"])]
    Activate(SitePackage),
    /// Update a theme, to its newest version or another; taken back if it breaks
    #[command(after_help = examples!["aipress tenant theme update bakery twentyten"])]
    Update(SitePackageUpdate),
    /// Remove a theme from a site; not the one that it is made with
    #[command(visible_alias = "rm")]
    #[command(after_help = examples!["aipress tenant theme remove bakery twentyten"])]
    Remove(SitePackage),
}

/// One that a site has.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SitePackage {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Name of its folder, such as akismet
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// Where one comes from.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Origin {
    /// Exactly this version [default: the newest that can be had]
    #[arg(long, value_name = "VERSION", conflicts_with = "file")]
    pub(crate) version: Option<String>,
    /// mirror, wordpress.org, sha256:<64 hex digits> or https://…#sha256=<64 hex digits>
    /// [default: the mirror, then the directory of WordPress.org]
    #[arg(long, value_name = "SOURCE", conflicts_with = "file")]
    pub(crate) source: Option<String>,
    /// A zip archive, which is uploaded to the mirror first
    #[arg(long, value_name = "ZIP")]
    pub(crate) file: Option<PathBuf>,
}

/// `tenant plugin install`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PluginInstall {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Its name in the directory, such as akismet; with --file that of the archive
    #[arg(required_unless_present = "file")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) origin: Origin,
    /// Install it switched off
    #[arg(long)]
    pub(crate) inactive: bool,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `tenant theme install`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ThemeInstall {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Its name in the directory, such as twentyten; with --file that of the archive
    #[arg(required_unless_present = "file")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) origin: Origin,
    /// Make the site with it
    #[arg(long)]
    pub(crate) activate: bool,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `tenant plugin update`, `tenant theme update`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SitePackageUpdate {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Name of its folder, such as akismet
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) origin: Origin,
    #[command(flatten)]
    pub(crate) wait: Wait,
}
