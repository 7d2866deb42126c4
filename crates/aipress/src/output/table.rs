//! Tables as wide as the terminal, and no wider; without a terminal as wide as they must be. What
//! comes from elsewhere can't move the cursor: control characters are not printed.

use std::cell::RefCell;

use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

use crate::output::Look;
use crate::output::harmless;
use crate::output::states;

/// Between two columns.
const GAP: usize = 2;
/// No column is cut to less, in columns of the terminal.
const LEAST: usize = 8;

thread_local! {
    /// What was wrong with `--columns`, until [`complaint`] takes it: tables are made where only
    /// text can be given back.
    static COMPLAINT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What was wrong with the columns that were asked for.
pub(super) fn complaint() -> Option<String> {
    COMPLAINT.with_borrow_mut(Option::take)
}

/// Columns under headings.
pub(crate) fn columns(headings: &[&str], rows: &[Vec<String>]) -> String {
    laid_out(Look::get(), headings, rows)
}

fn laid_out(look: &Look, headings: &[&str], rows: &[Vec<String>]) -> String {
    let chosen = match chosen(&look.columns, headings) {
        Ok(chosen) => chosen,
        Err(complaint) => {
            COMPLAINT.set(Some(complaint));
            return String::new();
        }
    };
    let headings: Vec<&str> = chosen.iter().map(|at| headings[*at]).collect();
    let cell = |row: &Vec<String>, at: usize| row.get(at).map_or_else(String::new, |c| plain(c));
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| chosen.iter().map(|at| cell(row, *at)).collect()).collect();
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.width()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    if let Some(most) = look.width.filter(|_| !look.wide) {
        narrow(&mut widths, most);
    }
    let last = widths.len().saturating_sub(1);
    let mut text = String::new();
    let (bold, off) = if look.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    for (at, (heading, width)) in headings.iter().zip(&widths).enumerate() {
        text.push_str(&format!("{bold}{}{off}", padded(heading, *width, at == last)));
    }
    text.push('\n');
    for row in &rows {
        // Nothing behind the last cell that is not empty.
        let end = row.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate().take(end + 1) {
            let cell = padded(cell, *width, at == end);
            text.push_str(&if look.color { states::colored(headings[at], &cell) } else { cell });
        }
        text.push('\n');
    }
    text
}

/// Which columns, in which order.
fn chosen(asked: &[String], headings: &[&str]) -> Result<Vec<usize>, String> {
    if asked.is_empty() {
        return Ok((0..headings.len()).collect());
    }
    let find = |name: &String| {
        // `wordpress-version` and `WORDPRESS VERSION` are the same.
        let plain = |text: &str| text.replace(['-', '_'], " ").to_lowercase();
        headings.iter().position(|heading| plain(heading) == plain(name)).ok_or_else(|| {
            let all: Vec<String> =
                headings.iter().map(|h| h.to_lowercase().replace(' ', "-")).collect();
            format!("--columns: there is no column `{name}`; there are {}", all.join(", "))
        })
    };
    asked.iter().map(find).collect()
}

/// Takes from the widest columns until all fit; from the first, which names the row, only when
/// nothing else can give.
fn narrow(widths: &mut [usize], most: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > most {
        let others = widths.iter_mut().skip(1).max_by_key(|width| **width);
        match others.filter(|width| **width > LEAST) {
            Some(widest) => *widest -= 1,
            None => match widths.first_mut().filter(|width| **width > LEAST) {
                Some(first) => *first -= 1,
                None => return,
            },
        }
    }
}

fn padded(cell: &str, width: usize, last: bool) -> String {
    let cut = cut(cell, width);
    if last {
        return cut;
    }
    let fill = width.saturating_sub(cut.width()) + GAP;
    format!("{cut}{:fill$}", "")
}

/// The beginning of `text` that fits, with `…` where something is missing.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        kept.push(character);
    }
    kept + "…"
}

/// Text of one line that does nothing to a terminal.
fn plain(text: &str) -> String {
    harmless(&text.replace(['\n', '\t', '\r'], " "))
}

/// One thing, a field on each line; empty ones are left out.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let color = Look::get().color;
    fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            let value = plain(value);
            let value = if color { states::colored(name, &value) } else { value };
            format!("{name:<width$}  {value}\n")
        })
        .collect()
}

#[cfg(test)]
mod tests;
