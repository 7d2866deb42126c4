//! What verbs share that change something: whom they ask, and how long they wait.

use clap::Args as ClapArgs;

/// How a change is waited for.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct Wait {
    /// Wait for the end and show the steps (the default)
    #[arg(long, overrides_with = "no_wait")]
    pub(crate) wait: bool,
    /// Return as soon as the change is recorded
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Seconds to wait at most
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
}

/// A change that asks to type the name.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Guarded {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Do not ask to type the name
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// A change that does not ask.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Plain {
    /// Name or uid of the site
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) wait: Wait,
}
