//! `apply`, `diff`, `plan …`: documents and what they would change.

use clap::Args as ClapArgs;
use clap::Subcommand;

use crate::args::Wait;

/// Where documents are.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Files {
    /// A file, a folder (its *.yaml, *.yml and *.json, by name) or - for standard input
    #[arg(long = "file", short = 'f', value_name = "FILE|DIR|-", required = true)]
    pub(crate) files: Vec<String>,
    /// Also the folders within a folder; hidden ones and links to folders are left out
    #[arg(long, short = 'R')]
    pub(crate) recursive: bool,
}

/// `apply`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Also delete sites that have the labels of --selector and no document
    #[arg(long, requires = "selector")]
    pub(crate) prune: bool,
    /// Labels of the sites that --prune may delete, such as team=shops
    #[arg(long, value_name = "NAME=VALUE", requires = "prune")]
    pub(crate) selector: Option<String>,
    /// Do not ask to type how many sites --prune deletes
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `diff`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) files: Files,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PlanVerb {
    /// Show a plan that --dry-run made
    #[command(after_help = examples!["aipress plan show 3f2c6a1e"])]
    Show {
        /// Its hash
        hash: String,
    },
    /// Make the changes of a plan, if what it was made from still holds
    #[command(after_help = examples!["aipress plan apply 3f2c6a1e"])]
    Apply {
        /// Its hash
        hash: String,
        #[command(flatten)]
        wait: Wait,
    },
}
