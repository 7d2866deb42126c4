//! `man`: pages for `man`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// `man`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Man {
    /// The verb, such as `tenant create`; `aipress` itself without one
    #[arg(value_name = "VERB")]
    pub(crate) verb: Vec<String>,
    /// Write a page for each verb into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    pub(crate) dir: Option<PathBuf>,
}
