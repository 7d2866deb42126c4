//! `aipress config …`

use aipress_types::Secret;

use crate::args::ConfigVerb;
use crate::args::Connect;
use crate::args::Output;
use crate::config;
use crate::config::Config;
use crate::exit::Failure;
use crate::output;

/// Calls one verb.
pub(crate) fn run(how: &Connect, verb: &ConfigVerb, output: Output) -> Result<(), Failure> {
    match verb {
        ConfigVerb::Path => {
            output::say(&format!("{}\n", Config::path()?.display()));
            Ok(())
        }
        ConfigVerb::View => view(output),
        ConfigVerb::Get { key } => {
            let value = config::get(&Config::load()?, key)?;
            output::say(&value.map_or_else(String::new, |value| value + "\n"));
            Ok(())
        }
        ConfigVerb::Set { key, value } => {
            let mut config = Config::load()?;
            config::set(&mut config, key, value)?;
            config.keep(how.dry_run).map(drop)
        }
        ConfigVerb::Unset { key } => {
            let mut config = Config::load()?;
            config::unset(&mut config, key)?;
            config.keep(how.dry_run).map(drop)
        }
    }
}

fn view(output: Output) -> Result<(), Failure> {
    let mut config = Config::load()?;
    for context in config.contexts.values_mut() {
        context.token = context.token.as_ref().map(|_| Secret::new("(not shown)"));
    }
    if config == Config::default() && output.is_for_people() {
        output::note(&format!(
            "Nothing is set in {}; `aipress context add` adds a platform.",
            Config::path()?.display()
        ));
        return Ok(());
    }
    // The file is YAML, so that is what people know it as.
    let output = if output.is_for_people() { Output::Yaml } else { output };
    output::print(output, &config, |_| String::new())
}
