//! `aipress tables`: a row for each command, each call of the API, each kind of event and each setting, made from the
//! words of `--help` and from the API's description. `make generate` puts them into the pages of `docs/`.

use clap::Arg;
use clap::Command;
use clap::CommandFactory;
use serde_json::Value;
use serde_json::json;

use crate::args::Args;
use crate::exit::Failure;
use crate::man::is_for_people;
use crate::output;
use crate::settings::KEYS;
use crate::settings::Key;

/// Flags of every change that is waited for; `docs/CLI.md` tells of them once.
const OF_EVERY_CHANGE: [&str; 3] = ["wait", "no_wait", "timeout"];
/// Parameters of every list and of every change; `docs/API.md` tells of them once.
const OF_MANY_CALLS: [&str; 3] = ["limit", "cursor", "dryRun"];
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Prints them: `{"commands": [{"name", "row"}], "calls": …, "settings": …}`.
pub(crate) fn run() -> Result<(), Failure> {
    let description = serde_json::to_value(aipress_meta::openapi()).map_err(anyhow::Error::from)?;
    let tables = json!({
        "commands": commands(),
        "calls": calls(&description),
        "events": events(),
        "settings": settings(),
    });
    output::say(&format!("{tables:#}\n"));
    Ok(())
}

fn events() -> Vec<Value> {
    let row = |kind: &aipress_meta::EventKind| json!({"name": kind.kind, "row": format!("| `{}` | {} | {} |", kind.kind, kind.when, kind.data)});
    aipress_meta::EVENT_KINDS.iter().map(row).collect()
}

fn settings() -> Vec<Value> {
    let row = |key: &Key| {
        let when = if key.is_fixed { "; only before the first start" } else { "" };
        let row = format!("| `{}` | {} | {}{when} |", key.name, key.default, key.about);
        json!({"name": "all", "row": row})
    };
    KEYS.iter().map(row).collect()
}

fn commands() -> Vec<Value> {
    let mut root = Args::command();
    root.build();
    let mut rows = Vec::new();
    for verb in root.get_subcommands().filter(|verb| is_for_people(verb)) {
        rows_of(verb, &mut rows);
    }
    rows
}

fn rows_of(command: &Command, rows: &mut Vec<Value>) {
    let verbs: Vec<&Command> = command.get_subcommands().filter(|v| is_for_people(v)).collect();
    for verb in &verbs {
        rows_of(verb, rows);
    }
    if !verbs.is_empty() {
        return;
    }
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let name = name.trim_start_matches("aipress ");
    let own = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        let is_told_elsewhere = arg.is_global_set() || arg.is_hide_set() || id == "help";
        !is_told_elsewhere && !OF_EVERY_CHANGE.contains(&id)
    };
    let (words, flags): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().filter(own).partition(|arg| arg.is_positional());
    let words: String = words.into_iter().map(|arg| format!(" {}", written(arg))).collect();
    let flags: Vec<String> = flags.into_iter().map(|arg| format!("`{}`", written(arg))).collect();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let anchor = name.replace(' ', "-");
    let row = format!(
        "| [`{name}{words}`](COMMANDS.md#aipress-{anchor}) | {about} | {} |",
        flags.join(", ")
    );
    rows.push(json!({"name": name, "row": row}));
}

/// `SITE`, `[VERSION]`, `--title TITLE`; a bar would end a cell of the table.
fn written(arg: &Arg) -> String {
    let names = arg.get_value_names().into_iter().flatten();
    let values: Vec<&str> = names.map(|name| name.as_str()).collect();
    let value = values.join(" ").replace('|', "\\|");
    match arg.get_long() {
        Some(long) if arg.get_action().takes_values() => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None if arg.is_required_set() => value,
        None => format!("[{value}]"),
    }
}

fn calls(description: &Value) -> Vec<Value> {
    let mut rows = Vec::new();
    for (path, methods) in description["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let Some(call) = methods.get(method) else { continue };
            let query: Vec<String> = list(&call["parameters"])
                .filter(|parameter| parameter["in"] == "query")
                .filter_map(|parameter| parameter["name"].as_str())
                .filter(|name| !OF_MANY_CALLS.contains(name))
                .map(|name| format!("`{name}`"))
                .collect();
            let answers = call["responses"].as_object().into_iter().flatten();
            let answers: Vec<&str> = answers
                .map(|(status, _)| status.as_str())
                .filter(|status| status.starts_with('2'))
                .collect();
            let (verb, what) =
                (method.to_uppercase(), call["summary"].as_str().unwrap_or_default());
            let row = format!(
                "| `{verb} {path}` | {} | {} | {} |",
                what.trim_end_matches('.'),
                query.join(", "),
                answers.join(", ")
            );
            rows.push(json!({"name": path, "row": row}));
        }
    }
    rows
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_is_typed_and_called() {
        let commands = commands();
        let row = |name: &str| {
            let row = commands.iter().find(|row| row["name"] == name).expect(name);
            row["row"].as_str().unwrap().to_owned()
        };
        let create = row("tenant create");
        assert!(create.starts_with("| [`tenant create NAME`](COMMANDS.md#aipress-tenant-create)"));
        assert!(create.contains("`--title TITLE`") && !create.contains("--no-wait"), "{create}");
        assert!(row("core fetch").contains("`core fetch [VERSION]`"));
        let description = serde_json::to_value(aipress_meta::openapi()).unwrap();
        let calls = calls(&description);
        let list = calls.iter().find(|row| row["name"] == "/v1/shards").unwrap();
        assert!(list["row"].as_str().unwrap().contains("| `GET /v1/shards` | List shards"));
    }
}
