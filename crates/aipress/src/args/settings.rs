//! `settings …`: what the platform of a data folder is told.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SettingsVerb {
    /// List every setting with its value, where that comes from, and what it means
    #[command(visible_alias = "ls", after_help = examples![
        "aipress settings list",
        "aipress settings list -o json",
    ])]
    List,
    /// Print the value of a setting
    #[command(after_help = examples!["aipress settings get shards"])]
    Get {
        /// Such as listen or webhooks.allowPrivate
        #[arg(value_name = "SETTING")]
        key: String,
    },
    /// Show what a setting means, and its default
    #[command(after_help = examples!["aipress settings explain bufferPoolMib"])]
    Explain {
        /// Such as listen or webhooks.allowPrivate
        #[arg(value_name = "SETTING")]
        key: String,
    },
    /// Set a setting; it counts from the next start on
    #[command(after_help = examples![
        "aipress settings set bufferPoolMib 128",
        "aipress settings set webhooks.allowPrivate true",
    ])]
    Set {
        /// Such as listen or webhooks.allowPrivate
        #[arg(value_name = "SETTING")]
        key: String,
        /// Its value
        value: String,
    },
    /// Take a setting back to its default
    #[command(after_help = examples!["aipress settings unset bufferPoolMib"])]
    Unset {
        /// Such as listen or webhooks.allowPrivate
        #[arg(value_name = "SETTING")]
        key: String,
    },
}
