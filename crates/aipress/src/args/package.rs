//! `package …`: plugins and themes in the platform's mirror.

use std::path::PathBuf;

use aipress_types::PackageKind;
use clap::Args as ClapArgs;
use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PackageVerb {
    /// List the mirror's plugins and themes, by name
    #[command(visible_alias = "ls")]
    #[command(after_help = examples![
        "aipress package list",
        "aipress package list --kind theme",
    ])]
    List {
        /// Only these: plugin or theme
        #[arg(long)]
        kind: Option<PackageKind>,
        /// Only of this name
        #[arg(long)]
        name: Option<String>,
    },
    /// Show one of them
    #[command(after_help = examples!["aipress package show akismet@5.3"])]
    Show {
        /// Its name, `NAME@VERSION`, or its SHA-256
        package: String,
    },
    /// Upload a zip archive of a plugin or theme
    #[command(after_help = examples!["aipress package add ./my-plugin.zip"])]
    Add {
        /// The archive: one folder with the plugin or theme, as WordPress itself takes it
        file: PathBuf,
        /// plugin or theme [default: found by its headers]
        #[arg(long)]
        kind: Option<PackageKind>,
    },
    /// Let the mirror get one from the directory of WordPress.org, in advance
    #[command(after_help = examples![
        "aipress package fetch akismet",
        "aipress package fetch twentyten --theme --version 4.2",
    ])]
    Fetch(PackageFetch),
    /// Remove one from the mirror; sites that have it installed keep it
    #[command(visible_alias = "rm")]
    #[command(after_help = examples!["aipress package delete akismet@5.3"])]
    Delete {
        /// Its name, `NAME@VERSION`, or its SHA-256
        package: String,
    },
}

/// `package fetch`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PackageFetch {
    /// Its name in the directory, such as akismet
    pub(crate) name: String,
    /// It is a theme
    #[arg(long)]
    pub(crate) theme: bool,
    /// Its version [default: the newest]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Another address: https://…#sha256=<64 hex digits>
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
}
