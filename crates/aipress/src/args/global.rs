//! What can be said before or after every verb.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::ValueEnum;

/// Flags of every verb.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Options of every verb")]
pub(crate) struct Global {
    /// Data folder [default: /var/lib/aipress as root, ~/.local/share/aipress otherwise]
    #[arg(long, global = true, env = "AIPRESS_DATA", value_name = "DIR", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,

    /// How results are printed: table, wide, json, yaml or name
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table,
        value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) output: Output,

    /// Columns of a table, such as name,state
    #[arg(long, global = true, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,

    /// Colours: auto, always or never; NO_COLOR and CLICOLOR_FORCE are heeded, too
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN",
        hide_possible_values = true)]
    pub(crate) color: Color,

    /// Print results and errors only: no progress, no hints
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) connect: Connect,
}

/// How the API is reached.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Connect {
    /// Address of the API [default: that of the platform in the data folder]
    #[arg(long, global = true, env = "AIPRESS_SERVER", value_name = "URL", hide_env_values = true)]
    pub(crate) server: Option<String>,

    /// File with an API token; AIPRESS_TOKEN holds one itself [default: the first
    /// platform-admin's, below the data folder]
    #[arg(
        long,
        global = true,
        env = "AIPRESS_TOKEN_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) token_file: Option<PathBuf>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people, as wide as the terminal.
    Table,
    /// For people, with all there is and nothing cut.
    Wide,
    /// The API's own JSON.
    Json,
    /// The same as YAML.
    Yaml,
    /// What things are called, one on each line.
    Name,
}

impl Output {
    /// Whether a person is to read it.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// At a terminal, unless a variable says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
