//! The values of an `INSERT`, for those few tables whose rows say something about the site.

use std::borrow::Cow;

use super::lex::Lexer;
use super::literal;

/// Most values of a row: as many as a table has columns. A statement may hold 32 million.
const VALUES_MAX: usize = 4_096;

/// Gives each row of a judged `INSERT` to `take`: its values, without quotes, `None` for `NULL`.
/// What can't be read ends it.
pub(crate) fn each(sql: &[u8], mut take: impl FnMut(&[Option<Cow<'_, [u8]>>])) {
    let mut lexer = Lexer::new(sql);
    for token in lexer.by_ref() {
        if token.is("VALUES") || token.is("VALUE") {
            break;
        }
    }
    let mut rest = sql.get(lexer.position()..).unwrap_or_default();
    let mut row = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        let Some(first) = rest.first() else { return };
        let length = match first {
            b'(' => {
                row.clear();
                1
            }
            b',' => 1,
            b')' => {
                take(&row);
                1
            }
            b'\'' | b'"' => {
                let length = quoted(rest);
                row.push(Some(literal::unescape(rest.get(..length).unwrap_or_default())));
                length
            }
            _ => {
                let length = rest
                    .iter()
                    .take_while(|byte| !b",)'\"".contains(byte) && !byte.is_ascii_whitespace())
                    .count();
                let word = rest.get(..length).unwrap_or_default();
                let after = rest.get(length..).unwrap_or_default().trim_ascii_start();
                // An introducer belongs to the text behind it.
                if !matches!(after.first(), Some(b'\'' | b'"')) {
                    row.push((!word.eq_ignore_ascii_case(b"NULL")).then_some(Cow::Borrowed(word)));
                }
                length
            }
        };
        if length == 0 || row.len() > VALUES_MAX {
            return;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn quoted(text: &[u8]) -> usize {
    let quote = text.first().copied().unwrap_or(b'\'');
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            byte if *byte == quote => {
                if text.get(at + 1) != Some(&quote) {
                    return at + 1;
                }
                at += 2;
            }
            _ => at += 1,
        }
    }
    text.len()
}
