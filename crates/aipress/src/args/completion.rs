//! `completion`: what makes a shell complete.

use clap::Args as ClapArgs;
use clap::ValueEnum;

/// `completion`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Completion {
    /// The shell that is to complete
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Shells that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}
