//! `aipress settings …`: what the platform of a data folder is told, and where each value comes from.

use std::path::Path;

use aipress_drivers::DataPaths;
use aipress_supervise::control;
use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use crate::args::Output;
use crate::args::SettingsVerb;
use crate::data;
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;
use crate::settings::keys;
use crate::settings::keys::KEYS;
use crate::settings::keys::Key;

/// A setting as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: &'static str,
    value: Value,
    /// `default` or `config.json`.
    from: &'static str,
    default: &'static str,
    about: String,
}

/// Calls one verb.
pub(crate) fn run(data: Option<&Path>, verb: SettingsVerb, output: Output) -> Result<(), Failure> {
    let paths = data::paths(data)?;
    let settings = Settings::load(&paths)?;
    let encode =
        |settings: &Settings| serde_json::to_value(settings).context("encode the settings");
    let (now, defaults) = (encode(&settings)?, encode(&Settings::default())?);
    let shown = |key: Key| {
        let value = keys::value(&now, key.name).clone();
        let is_default = value == *keys::value(&defaults, key.name);
        let from = if is_default { "default" } else { "config.json" };
        Shown {
            name: key.name,
            value,
            from,
            default: key.default,
            about: key.about.replace('`', ""),
        }
    };
    match verb {
        SettingsVerb::List => {
            let all: Vec<Shown> = KEYS.map(shown).into();
            output::print(output, &all, |all| table(all))
        }
        SettingsVerb::Get { key } => {
            let shown = shown(keys::find(&key).map_err(Failure::Usage)?);
            output::print(output, &shown, |shown| format!("{}\n", written(shown)))
        }
        SettingsVerb::Explain { key } => {
            let shown = shown(keys::find(&key).map_err(Failure::Usage)?);
            output::print(output, &shown, |shown| {
                output::fields(&[
                    ("Setting", shown.name.to_owned()),
                    ("Value", written(shown)),
                    ("From", shown.from.to_owned()),
                    ("Default", shown.default.to_owned()),
                    ("Meaning", shown.about.clone()),
                ])
            })
        }
        SettingsVerb::Set { key, value } => {
            change(&paths, &settings, now, &key, Some(parsed(&value)))
        }
        SettingsVerb::Unset { key } => change(&paths, &settings, now, &key, None),
    }
}

fn table(all: &[Shown]) -> String {
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|shown| {
            let about = shown.about.clone();
            vec![shown.name.to_owned(), written(shown), shown.from.to_owned(), about]
        })
        .collect();
    output::columns(&["SETTING", "VALUE", "FROM", "MEANING"], &rows)
}

/// The value, or in words what stands for none.
fn written(shown: &Shown) -> String {
    match &shown.value {
        Value::Null => format!("({})", shown.default),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `8` and `true` are what they look like, everything else is text.
fn parsed(value: &str) -> Value {
    match serde_json::from_str(value) {
        Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::String(value.to_owned()),
    }
}

fn change(
    paths: &DataPaths,
    before: &Settings,
    now: Value,
    key: &str,
    value: Option<Value>,
) -> Result<(), Failure> {
    let key = keys::find(key).map_err(Failure::Usage)?;
    let has_data = paths.registry().exists();
    if has_data && key.is_fixed {
        return Err(Failure::Usage(format!(
            "{} can't be changed any more: there is data in {} that was made with it",
            key.name,
            paths.root().display()
        )));
    }
    let Value::Object(mut fields) = now else { return Ok(()) };
    keys::put(&mut fields, key.name, value);
    let refused = |error: anyhow::Error| Failure::Usage(format!("{}: {error:#}", key.name));
    let after = Settings::parse(Value::Object(fields)).map_err(refused)?;
    if has_data && after.shards < before.shards {
        return Err(Failure::Usage(format!(
            "this platform has {} shards; taking one away is not available yet",
            before.shards
        )));
    }
    std::fs::create_dir_all(paths.root())?;
    after.save(paths)?;
    if after != *before && control::socket_path(&paths.run()).exists() {
        output::note("It counts from the next start on: aipress down && aipress up --detach");
    }
    Ok(())
}
