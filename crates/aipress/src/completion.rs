//! Shell completion. The shell asks the binary itself for each word, so that names of sites can be
//! completed, too; `aipress completion bash` prints the few lines that make a shell ask.

mod names;

use std::ffi::OsStr;
use std::io::Write;

use clap::Arg;
use clap::Command;
use clap::CommandFactory;
use clap_complete::ArgValueCompleter;
use clap_complete::CompleteEnv;
use clap_complete::CompletionCandidate;
use clap_complete::PathCompleter;
use clap_complete::env::Bash;
use clap_complete::env::EnvCompleter;
use clap_complete::env::Fish;
use clap_complete::env::Zsh;

use crate::args::Args;
use crate::args::Completion;
use crate::args::Shell;
use crate::exit::Failure;
use crate::output;

/// The variable by which a shell asks.
const VARIABLE: &str = "_AIPRESS_COMPLETE";

/// Prints what makes the shell ask.
pub(crate) fn run(args: &Completion) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut text = Vec::new();
    // By name, not by path: it goes on working when the binary moves or is replaced.
    shell.write_registration(VARIABLE, "aipress", "aipress", "aipress", &mut text)?;
    output::say(&String::from_utf8_lossy(&text));
    Ok(())
}

/// Answers a shell that asks; `false` when none does.
pub(crate) fn answer() -> bool {
    let asked = CompleteEnv::with_factory(command).var(VARIABLE);
    let here = std::env::current_dir().ok();
    asked.try_complete(std::env::args_os(), here.as_deref()).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "aipress: {error}");
        true
    })
}

/// The command line, knowing what completes each argument.
fn command() -> Command {
    knowing(Args::command())
}

fn knowing(command: Command) -> Command {
    let command = command.mut_args(|arg| match completer(&arg) {
        Some(completer) => arg.add(completer),
        None => arg,
    });
    command.mut_subcommands(knowing)
}

/// By the names that arguments have in all verbs.
fn completer(arg: &Arg) -> Option<ArgValueCompleter> {
    if arg.get_possible_values().len() > 1 {
        return None;
    }
    let value_name =
        arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
    match (arg.get_id().as_str(), value_name) {
        ("tenant" | "tenants", _) => Some(ArgValueCompleter::new(|current: &OsStr| {
            candidates(names::sites(&current.to_string_lossy()))
        })),
        ("shard", _) => Some(ArgValueCompleter::new(|current: &OsStr| {
            candidates(names::shards(&current.to_string_lossy()))
        })),
        ("operation", _) => Some(ArgValueCompleter::new(|current: &OsStr| {
            candidates(names::operations(&current.to_string_lossy()))
        })),
        ("webhook", _) => Some(ArgValueCompleter::new(|current: &OsStr| {
            candidates(names::webhooks(&current.to_string_lossy()))
        })),
        ("package", _) => Some(ArgValueCompleter::new(|current: &OsStr| {
            candidates(names::packages(&current.to_string_lossy()))
        })),
        ("context", _) | (_, Some("CONTEXT")) => Some(ArgValueCompleter::new(|current: &OsStr| {
            candidates(names::contexts(&current.to_string_lossy()))
        })),
        (_, Some("SETTING")) => Some(ArgValueCompleter::new(|current: &OsStr| {
            candidates(names::settings(&current.to_string_lossy()))
        })),
        (_, Some("FILE" | "FILE|DIR|-" | "PATH")) => {
            Some(ArgValueCompleter::new(PathCompleter::any()))
        }
        (_, Some("DIR")) => Some(ArgValueCompleter::new(PathCompleter::dir())),
        _ => None,
    }
}

fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}
