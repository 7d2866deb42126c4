//! How results are printed: a table for people, JSON or YAML for programs.

use anyhow::Context;
use serde::Serialize;

use crate::args::Output;

/// Prints `value` as JSON or YAML, or else what `table` makes of it.
///
/// # Errors
/// When it can't be written.
pub(crate) fn print<T: Serialize>(
    output: Output,
    value: &T,
    table: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    let text = match output {
        Output::Table => table(value),
        Output::Json => serde_json::to_string_pretty(value).context("encode JSON")? + "\n",
        Output::Yaml => serde_yaml_ng::to_string(value).context("encode YAML")?,
    };
    say(&text);
    Ok(())
}

/// Writes to standard output; a reader that went away (`| head`) is no error.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Columns under headings, as wide as they must be.
pub(crate) fn columns(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for (cell, width) in cells.zip(&widths) {
            out.push_str(&format!("{cell:<width$}  "));
        }
        out.trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// One thing, a field on each line; empty ones are left out.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<width$}  {value}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows =
            vec![vec!["ä".to_owned(), "x".to_owned()], vec!["long name".to_owned(), String::new()]];
        assert_eq!(columns(&["NAME", "B"], &rows), "NAME       B\nä          x\nlong name\n");
    }
}
