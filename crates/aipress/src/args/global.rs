//! What can be said before or after every verb.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::Args as ClapArgs;
use clap::ValueEnum;
use clap::parser::ValueSource;

use crate::config::LOCAL;

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
    /// The platform to talk to, as in `aipress context list` [env: AIPRESS_CONTEXT]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,

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

    /// Change nothing: print the plan of what would change
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,

    /// Why a change is made, for the audit log
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    #[arg(skip)]
    pub(crate) sources: Sources,
}

/// What was said by a flag: a variable is weaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    /// Whether `server` was.
    pub(crate) server: bool,
    /// Whether `token_file` was.
    pub(crate) token_file: bool,
    /// Whether nothing counts but the platform of the data folder.
    pub(crate) here: bool,
}

impl Connect {
    /// The platform of the data folder, whatever flags and variables say.
    pub(crate) fn here() -> Self {
        Self { sources: Sources { here: true, ..Sources::default() }, ..Self::default() }
    }

    /// Remembers what was said by a flag.
    pub(crate) fn note_sources(&mut self, matches: &ArgMatches) {
        let by_flag = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        self.sources =
            Sources { server: by_flag("server"), token_file: by_flag("token_file"), here: false };
    }

    /// Itself when a flag says which platform is meant; else the platform of the data folder, for
    /// verbs that look at this machine.
    pub(crate) fn or_here(&self) -> Self {
        let told = self.context.is_some() || self.sources.server;
        let here = || Self { context: Some(LOCAL.to_owned()), server: None, ..self.clone() };
        if told { self.clone() } else { here() }
    }
}

/// A number of things to show: none is not worth asking.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err("a number from 1 on is wanted".to_owned()),
    }
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
