//! The `aipress` binary: one verb for each role and for each thing that a person does. `main`
//! parses, sets up logging and calls one of them; arguments, variables and files of configuration
//! are read in this crate only.

mod args;
mod clean_data;
mod cli;
mod commands;
mod completion;
mod config;
mod core;
mod data;
mod doctor;
mod down;
mod exit;
mod fields;
mod firewall;
mod foresee;
mod hints;
mod man;
mod master_key;
mod output;
mod php_files;
mod roles;
mod settings;
mod status;
mod tables;
mod up;
mod words;
mod wp_cli;

use std::process::ExitCode;

use aipress_api::client::ApiError;
use clap::ArgMatches;
use clap::ColorChoice;
use clap::Command;
use clap::CommandFactory;
use clap::FromArgMatches;
use clap::ValueEnum;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::error::ErrorKind;
use clap::parser::ValueSource;

use crate::args::Args;
use crate::args::Color;
use crate::args::Global;
use crate::args::Output;
use crate::args::Verb;
use crate::exit::Failure;

fn main() -> ExitCode {
    // First of all, before any thread or open file: the supervisor's way of becoming a unit.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == aipress_supervise::EXEC_VERB) {
        return aipress_supervise::exec_unit();
    }
    // A unit's last step before it is PHP, and a command's of a site.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == aipress_kit::sandbox::EXEC_VERB) {
        return aipress_kit::sandbox::exec_confined(std::env::args_os().skip(2));
    }
    let cleared = master_key::take();
    if completion::answer() {
        return ExitCode::SUCCESS;
    }
    let args = parse();
    let global = &args.global;
    output::Look::new(
        global.color,
        global.quiet,
        global.output == Output::Wide,
        global.columns.clone(),
    )
    .install();
    let filter = std::env::var("AIPRESS_LOG").unwrap_or_else(|_| "info".to_owned());
    if args.verb.is_service() {
        aipress_kit::telemetry::init("aipress", &filter);
    }
    if let Err(error) = cleared {
        tracing::warn!(%error, "the master key stays in this process's environment");
    }
    // Before the first thread, so that all of them have it.
    let asked = match &args.verb {
        Verb::Role(role) => roles::confine(args.global.data.as_deref(), role),
        _ => Ok(roles::Asked::default()),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(failure) => {
            failure.print(&[]);
            return failure.code();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say_error(&format!("the runtime does not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let (data, connect) = (args.global.data.clone(), args.global.connect.clone());
    let output = args.global.output;
    runtime.block_on(async {
        match run(args, asked).await {
            Ok(()) => ExitCode::SUCCESS,
            // What `--dry-run` asked for.
            Err(Failure::Api(ApiError::Planned(plan))) => match cli::plan::print(output, &plan) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => failure.code(),
            },
            Err(failure) => {
                failure.print(&hints::after(&failure, data.as_deref(), &connect).await);
                failure.code()
            }
        }
    })
}

/// The arguments. Their own errors and help have colours as `--color` says, which is looked up
/// before all of it is understood.
fn parse() -> Args {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let asked = words.iter().enumerate().find_map(|(at, word)| match word.as_str() {
        "--color" => words.get(at + 1).map(String::as_str),
        word => word.strip_prefix("--color="),
    });
    let choice = match asked {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    let command = Args::command().color(choice);
    let matches = command.clone().try_get_matches().unwrap_or_else(|error| {
        if error.kind() == ErrorKind::MissingSubcommand {
            help_instead(command, &error);
        }
        error.exit()
    });
    let mut args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    args.global.connect.note_sources(&matches);
    if !args.verb.is_service() {
        defaults(&mut args.global, &matches);
    }
    args
}

/// A noun without a verb is answered by its help, which says more than an error. (clap itself does so
/// only while no variable gives an argument.)
fn help_instead(mut command: Command, error: &clap::Error) {
    command.build();
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
        return;
    };
    let mut noun = &mut command;
    for word in name.split(' ').skip(1) {
        let Some(found) = noun.find_subcommand_mut(word) else { return };
        noun = found;
    }
    output::put(&noun.render_help().to_string());
    std::process::exit(2);
}

/// What flags leave open is as `config.yaml` says. A file that can't be used is told of by the verbs
/// that need it.
fn defaults(global: &mut Global, matches: &ArgMatches) {
    let Ok(config) = config::Config::load() else { return };
    let open = |id: &str| matches.value_source(id) == Some(ValueSource::DefaultValue);
    let output = config.output.and_then(|name| Output::from_str(&name, false).ok());
    if let Some(output) = output.filter(|_| open("output")) {
        global.output = output;
    }
    let color = config.color.and_then(|name| Color::from_str(&name, false).ok());
    if let Some(color) = color.filter(|_| open("color")) {
        global.color = color;
    }
}

async fn run(args: Args, asked: roles::Asked) -> Result<(), Failure> {
    let Args { global, verb } = args;
    let data = global.data.as_deref();
    let output = global.output;
    let connect = &global.connect;
    if connect.dry_run && foresee::tell(data, &verb, output).await? {
        return Ok(());
    }
    match verb {
        Verb::Up(up) => up::run(data, up).await,
        Verb::Down => down::run(data).await,
        Verb::Status => status::run(data, output).await,
        Verb::Doctor(doctor) => doctor::run(data, connect, doctor, output).await,
        Verb::CleanData(clean) => clean_data::run(data, clean).await,
        Verb::Core(verb) => core::run(data, verb, output).await,
        Verb::Config(verb) => cli::config::run(connect, &verb, output),
        Verb::Context(verb) => cli::context::run(data, connect, verb, output),
        Verb::Commands => {
            commands::run();
            Ok(())
        }
        Verb::Settings(verb) => settings::run(data, verb, output),
        Verb::Tables => tables::run(),
        Verb::Completion(args) => completion::run(&args),
        Verb::Man(args) => man::run(&args),
        Verb::Openapi => roles::openapi(),
        Verb::Schema => roles::schema(),
        Verb::Fields => {
            fields::run();
            Ok(())
        }
        Verb::Role(role) => roles::run(data, role, asked).await,
        Verb::Tenant(verb) => cli::tenant::run(data, connect, verb, output).await,
        Verb::Apply(args) => cli::apply::run(data, connect, args, output).await,
        Verb::Diff(args) => cli::diff::run(data, connect, args).await,
        Verb::Plan(verb) => cli::plan::run(data, connect, verb, output).await,
        Verb::Shard(verb) => cli::shard::run(data, connect, verb, output).await,
        Verb::Project(verb) => cli::project::run(data, connect, verb, output).await,
        Verb::Package(verb) => cli::package::run(data, connect, verb, output).await,
        Verb::Operation(verb) => cli::operation::run(data, connect, verb, output).await,
        Verb::Events(events) => cli::events::run(data, connect, events, output).await,
        Verb::Audit(verb) => cli::audit::run(data, connect, verb, output).await,
        Verb::Webhook(verb) => cli::webhook::run(data, connect, verb, output).await,
        Verb::Route(route) => cli::route::run(data, connect, &route, output).await,
    }
}
