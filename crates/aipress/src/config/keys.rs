//! Keys of `config.yaml` as `aipress config get` and `set` name them: `output`,
//! `contexts.prod.server`. One table says which there are.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::args::Color;
use crate::args::Output;
use crate::config::Config;
use crate::config::LOCAL;
use crate::exit::Failure;
use crate::words;

/// Keys of the file itself.
const OWN: [&str; 4] = ["currentContext", "output", "color", "contexts"];
/// Keys of a context.
const OF_CONTEXT: [&str; 4] = ["server", "tokenFile", "token", "caFile"];

/// Refuses keys that are not known.
pub(super) fn check(value: &Value) -> Result<(), String> {
    let Value::Object(own) = value else { return Err("keys and values are wanted".to_owned()) };
    for key in own.keys() {
        known(key, "", &OWN)?;
    }
    let contexts = match own.get("contexts") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(contexts)) => contexts,
        Some(_) => return Err("`contexts`: names and what they are, are wanted".to_owned()),
    };
    for (name, context) in contexts {
        for key in context.as_object().into_iter().flat_map(|context| context.keys()) {
            known(key, &format!("contexts.{name}."), &OF_CONTEXT)?;
        }
    }
    Ok(())
}

fn known(key: &str, before: &str, keys: &[&'static str]) -> Result<(), String> {
    if keys.contains(&key) {
        return Ok(());
    }
    Err(match words::closest(key, keys.iter().copied()) {
        Some(meant) => format!("unknown key `{before}{key}`: did you mean `{before}{meant}`?"),
        None => format!("unknown key `{before}{key}`; there are {}", keys.join(", ")),
    })
}

/// Refuses a default that the flag itself would refuse.
pub(super) fn check_default(key: &str, value: Option<&str>) -> Result<(), String> {
    let names = |variants: Vec<Option<clap::builder::PossibleValue>>| -> Vec<String> {
        variants.into_iter().flatten().map(|value| value.get_name().to_owned()).collect()
    };
    let allowed = match key {
        "output" => names(Output::value_variants().iter().map(Output::to_possible_value).collect()),
        _ => names(Color::value_variants().iter().map(Color::to_possible_value).collect()),
    };
    match value {
        Some(value) if !allowed.iter().any(|name| name == value) => {
            Err(format!("{key}: `{value}` is none of {}", allowed.join(", ")))
        }
        _ => Ok(()),
    }
}

/// One key, taken apart.
enum Key<'a> {
    CurrentContext,
    Output,
    Color,
    OfContext(&'a str, &'static str),
}

fn key(text: &str) -> Result<Key<'_>, Failure> {
    if let Some(rest) = text.strip_prefix("contexts.") {
        let Some((name, field)) = rest.split_once('.') else {
            return Err(Failure::Usage(format!(
                "`{text}`: which key of it? {}",
                OF_CONTEXT.map(|field| format!("{text}.{field}")).join(", ")
            )));
        };
        known(field, &format!("contexts.{name}."), &OF_CONTEXT).map_err(Failure::Usage)?;
        let field = OF_CONTEXT.iter().find(|known| **known == field).copied().unwrap_or("server");
        return Ok(Key::OfContext(name, field));
    }
    known(text, "", &OWN).map_err(Failure::Usage)?;
    match text {
        "currentContext" => Ok(Key::CurrentContext),
        "output" => Ok(Key::Output),
        "color" => Ok(Key::Color),
        _ => Err(Failure::Usage("which one? contexts.NAME.server, for example".to_owned())),
    }
}

/// The value of a key; `None` when it is not set. A token is not shown.
///
/// # Errors
/// When there is no such key or context.
pub(crate) fn get(config: &Config, text: &str) -> Result<Option<String>, Failure> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    Ok(match key(text)? {
        Key::CurrentContext => Some(config.current_context.as_deref().unwrap_or(LOCAL).to_owned()),
        Key::Output => config.output.clone(),
        Key::Color => config.color.clone(),
        Key::OfContext(name, field) => {
            let context = config.context(name)?;
            match field {
                "tokenFile" => path(&context.token_file),
                "caFile" => path(&context.ca_file),
                "token" => context.token.as_ref().map(|_| "(not shown)".to_owned()),
                _ => Some(context.server.clone()),
            }
        }
    })
}

/// Sets a key.
///
/// # Errors
/// When there is no such key or context, or the value is wrong.
pub(crate) fn set(config: &mut Config, text: &str, value: &str) -> Result<(), Failure> {
    change(config, text, Some(value))
}

/// Takes a key back to its default.
///
/// # Errors
/// When there is no such key or context, or when it has no default.
pub(crate) fn unset(config: &mut Config, text: &str) -> Result<(), Failure> {
    change(config, text, None)
}

fn change(config: &mut Config, text: &str, value: Option<&str>) -> Result<(), Failure> {
    let owned = value.map(str::to_owned);
    match key(text)? {
        Key::CurrentContext => {
            if let Some(name) = value.filter(|name| *name != LOCAL) {
                config.context(name)?;
            }
            config.current_context = owned.filter(|name| name != LOCAL);
        }
        Key::Output => config.output = owned,
        Key::Color => config.color = owned,
        Key::OfContext(name, field) => {
            config.context(name)?;
            let Some(context) = config.contexts.get_mut(name) else { return Ok(()) };
            match (field, owned) {
                ("tokenFile", value) => context.token_file = value.map(absolute).transpose()?,
                ("caFile", value) => context.ca_file = value.map(absolute).transpose()?,
                ("token", None) => context.token = None,
                ("token", Some(_)) => {
                    return Err(Failure::Usage(
                        "a token in an argument is seen by others on this machine: use \
                         `aipress context add NAME --server URL --token-stdin --replace`"
                            .to_owned(),
                    ));
                }
                (_, Some(server)) => context.server = server,
                (_, None) => {
                    return Err(Failure::Usage(format!(
                        "a context has a server; `aipress context remove {name}` removes it"
                    )));
                }
            }
        }
    }
    config.checked().map_err(Failure::Usage)
}

fn absolute(path: String) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(path)?)
}
