//! `config …`: a person's own settings.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print where the file is (it need not be there)
    #[command(after_help = examples!["aipress config path"])]
    Path,
    /// Print the file; tokens are not shown
    #[command(after_help = examples!["aipress config view", "aipress config view -o json"])]
    View,
    /// Print the value of a key
    #[command(after_help = examples![
        "aipress config get currentContext",
        "aipress config get contexts.prod.server",
    ])]
    Get {
        /// currentContext, output, color, or contexts.NAME.server, .tokenFile, .caFile
        key: String,
    },
    /// Set a key
    #[command(after_help = examples![
        "aipress config set output wide",
        "aipress config set color never",
        "aipress config set contexts.prod.tokenFile ~/.config/aipress/prod.token",
    ])]
    Set {
        /// currentContext, output, color, or contexts.NAME.server, .tokenFile, .caFile
        key: String,
        /// Its value
        value: String,
    },
    /// Take a key back to its default
    #[command(after_help = examples!["aipress config unset output"])]
    Unset {
        /// currentContext, output, color, or contexts.NAME.tokenFile, .token, .caFile
        key: String,
    },
}
