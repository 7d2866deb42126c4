//! How results are printed: a table for people, JSON, YAML or names for programs. Results go to
//! standard output; progress, hints and errors to standard error.

mod diff;
mod look;
mod names;
mod states;
mod table;
mod times;

pub(crate) use diff::diff;
pub(crate) use look::Look;
pub(crate) use look::harmless;
pub(crate) use look::note;
pub(crate) use look::put;
pub(crate) use look::say;
pub(crate) use look::say_error;
pub(crate) use look::tell;
pub(crate) use table::columns;
pub(crate) use table::fields;
pub(crate) use times::ago;
pub(crate) use times::moment;
pub(crate) use times::moment_in_full;

use anyhow::Context;
use serde::Serialize;

use crate::args::Output;
use crate::exit::Failure;

/// Prints `value` as JSON, YAML or its name, or else what `table` makes of it.
///
/// # Errors
/// When it can't be put so, or when `--columns` asked for what the table does not have.
pub(crate) fn print<T: Serialize>(
    output: Output,
    value: &T,
    table: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    let text = match output {
        Output::Table | Output::Wide => {
            let text = table(value);
            match table::complaint() {
                None => text,
                Some(complaint) => return Err(Failure::Usage(complaint)),
            }
        }
        Output::Json => serde_json::to_string_pretty(value).context("encode JSON")? + "\n",
        Output::Yaml => serde_yaml_ng::to_string(value).context("encode YAML")?,
        Output::Name => names::of(&serde_json::to_value(value).context("encode JSON")?)?,
    };
    say(&text);
    Ok(())
}

/// [`print()`] for a list: for people, an empty one is `nothing` (what there is not, and what makes
/// one) on standard error.
///
/// # Errors
/// As [`print()`].
pub(crate) fn list<T: Serialize>(
    output: Output,
    items: &[T],
    nothing: &str,
    table: impl FnOnce(&[T]) -> String,
) -> Result<(), Failure> {
    if items.is_empty() && output.is_for_people() {
        note(nothing);
        return Ok(());
    }
    print(output, &items, |items| table(items))
}
