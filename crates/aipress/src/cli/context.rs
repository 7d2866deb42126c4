//! `aipress context …`

use std::io::Read;
use std::path::Path;

use aipress_types::Secret;
use serde::Serialize;

use crate::args::Connect;
use crate::args::ContextAdd;
use crate::args::ContextVerb;
use crate::args::Output;
use crate::config;
use crate::config::Config;
use crate::config::Context;
use crate::config::LOCAL;
use crate::config::Origin;
use crate::config::Target;
use crate::exit::Failure;
use crate::output;

/// Longest token that is read from standard input, in bytes.
const TOKEN_MAX: u64 = 4096;

/// Calls one verb.
pub(crate) fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: ContextVerb,
    output: Output,
) -> Result<(), Failure> {
    match verb {
        ContextVerb::List => list(data, how, output),
        ContextVerb::Show => show(data, how, output),
        ContextVerb::Use { name } => {
            let mut config = Config::load()?;
            select(&mut config, &name)?;
            if !config.keep(how.dry_run)? {
                return Ok(());
            }
            output::note(&format!("Commands talk to `{name}` from now on."));
            Ok(())
        }
        ContextVerb::Add(args) => add(how, args),
        ContextVerb::Remove { name } => remove(how, &name),
    }
}

/// A line of `context list`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    current: bool,
    server: String,
    token: String,
}

fn list(data: Option<&Path>, how: &Connect, output: Output) -> Result<(), Failure> {
    let config = Config::load()?;
    let current = match Target::resolve(data, how).map(|target| target.origin) {
        Ok(Origin::Context { name, .. }) => Some(name),
        Ok(Origin::Local(_)) => Some(LOCAL.to_owned()),
        Ok(Origin::Flag | Origin::Variable) => None,
        // Its token can't be read, say; it is the chosen one all the same.
        Err(_) => config.current_context.clone(),
    };
    let is_current = |name: &str| current.as_deref() == Some(name);
    let mut rows = Vec::new();
    if let Ok(local) = Target::resolve(data, &Connect::here()) {
        rows.push(Row {
            name: LOCAL.to_owned(),
            current: is_current(LOCAL),
            server: local.server,
            token: local.token_from,
        });
    }
    for (name, context) in &config.contexts {
        let token = match (&context.token_file, &context.token) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(_)) => "config.yaml".to_owned(),
            (None, None) => "none".to_owned(),
        };
        let (server, current) = (context.server.clone(), is_current(name));
        rows.push(Row { name: name.clone(), current, server, token });
    }
    output::list(output, &rows, "No contexts.", |rows| {
        let mark = |current| if current { "*" } else { "" }.to_owned();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                vec![row.name.clone(), mark(row.current), row.server.clone(), row.token.clone()]
            })
            .collect();
        output::columns(&["NAME", "CURRENT", "SERVER", "TOKEN"], &rows)
    })
}

/// What `context show` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: Option<String>,
    server: String,
    chosen_by: String,
    token: String,
}

fn show(data: Option<&Path>, how: &Connect, output: Output) -> Result<(), Failure> {
    let target = Target::resolve(data, how)?;
    let name = match &target.origin {
        Origin::Context { name, .. } => Some(name.clone()),
        Origin::Local(_) => Some(LOCAL.to_owned()),
        Origin::Flag | Origin::Variable => None,
    };
    let shown = Shown {
        name,
        server: target.server,
        chosen_by: target.origin.to_string(),
        token: target.token_from,
    };
    output::print(output, &shown, |shown| {
        output::fields(&[
            ("Context", shown.name.clone().unwrap_or_default()),
            ("Server", shown.server.clone()),
            ("Because of", shown.chosen_by.clone()),
            ("Token from", shown.token.clone()),
        ])
    })
}

fn select(config: &mut Config, name: &str) -> Result<(), Failure> {
    if name == LOCAL {
        config.current_context = None;
    } else {
        config.context(name)?;
        config.current_context = Some(name.to_owned());
    }
    Ok(())
}

fn add(how: &Connect, args: ContextAdd) -> Result<(), Failure> {
    config::check_name(&args.name).map_err(Failure::Usage)?;
    let mut config = Config::load()?;
    if config.contexts.contains_key(&args.name) && !args.replace {
        return Err(Failure::Usage(format!(
            "context `{}` is there already; --replace replaces it",
            args.name
        )));
    }
    // A variable was meant for another command, perhaps; what is kept is said here.
    let server = how.server.clone().filter(|_| how.sources.server).ok_or_else(|| {
        Failure::Usage("give the address of the API with --server https://…".to_owned())
    })?;
    let mut context = Context { server, ..Context::default() };
    if let Some(path) = how.token_file.as_ref().filter(|_| how.sources.token_file) {
        config::token_in(path, "--token-file")?;
        context.token_file = Some(std::path::absolute(path)?);
    } else if args.token_stdin {
        context.token = Some(token_from_stdin()?);
    }
    context.ca_file = args.ca_file.map(std::path::absolute).transpose()?;
    let has_token = context.token.is_some() || context.token_file.is_some();
    config.contexts.insert(args.name.clone(), context);
    if args.select {
        config.current_context = Some(args.name.clone());
    }
    if !config.keep(how.dry_run)? {
        return Ok(());
    }
    if !has_token {
        output::note("No token was given: AIPRESS_TOKEN or --token-file must say who you are.");
    }
    let next = if args.select { "is what commands talk to from now on" } else { "is added" };
    output::note(&format!("Context `{}` {next}.", args.name));
    if !args.select {
        output::note(&format!("`aipress context use {}` makes it the current one.", args.name));
    }
    Ok(())
}

fn token_from_stdin() -> Result<Secret, Failure> {
    let mut text = String::new();
    std::io::stdin().lock().take(TOKEN_MAX).read_to_string(&mut text)?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(Failure::Usage(
            "--token-stdin: one token is wanted, and nothing else".to_owned(),
        ));
    }
    Ok(Secret::new(token))
}

fn remove(how: &Connect, name: &str) -> Result<(), Failure> {
    if name == LOCAL {
        return Err(Failure::Usage("`local` is always there".to_owned()));
    }
    let mut config = Config::load()?;
    config.context(name)?;
    config.contexts.remove(name);
    let was_current = config.current_context.as_deref() == Some(name);
    if was_current {
        config.current_context = None;
    }
    if !config.keep(how.dry_run)? {
        return Ok(());
    }
    let next = if was_current { "; commands talk to `local` from now on" } else { "" };
    output::note(&format!("Context `{name}` is removed{next}."));
    Ok(())
}
