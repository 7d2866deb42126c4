//! `INSERT`: only values that are written out, in rows of parentheses; no function, no subquery, no
//! variable. Texts get the new address, and become UTF-8 where they are not.

use std::borrow::Cow;

use memchr::memchr2;

use super::Judge;
use super::Run;
use super::Verdict;
use super::lex::Lexer;
use super::lex::Token;
use super::literal;
use super::table;
use crate::serialized;

/// Columns whose texts stay as they are: what identifies a post in feeds (WordPress's own advice
/// for moving a site).
const KEPT: &[(&str, &str)] = &[("posts", "guid")];

/// Judges an `INSERT` (or `REPLACE`) whose first word was read.
pub(super) fn run<'t>(
    judge: &Judge,
    text: &'t [u8],
    verb: &Token<'_>,
    mut lexer: Lexer<'t>,
) -> Result<Verdict<'t>, String> {
    let mut ignore = false;
    let name = loop {
        let Some(token) = lexer.next() else { return Err("an INSERT without a table".to_owned()) };
        if ["INTO", "DELAYED", "LOW_PRIORITY", "HIGH_PRIORITY"].iter().any(|w| token.is(w)) {
            continue;
        }
        if token.is("IGNORE") {
            ignore = true;
            continue;
        }
        break token.name().ok_or("an INSERT without a table")?;
    };
    let mut columns: Option<Vec<String>> = None;
    loop {
        match lexer.next() {
            Some(Token::Mark(b'(')) if columns.is_none() => columns = Some(list(&mut lexer)?),
            Some(token) if token.is("VALUES") || token.is("VALUE") => break,
            Some(Token::Mark(b'.')) => return Err("a table of a named database".to_owned()),
            _ => return Err("an INSERT that is not of VALUES".to_owned()),
        }
    }
    let (head, rows) = text.split_at_checked(lexer.position()).unwrap_or((text, &[]));
    let changes = judge.rules.address.as_ref().is_some_and(|change| change.may_be_in(rows));
    let is_utf8 = std::str::from_utf8(text).is_ok();
    let Some(new) = judge.renamed(&name) else { return Ok(Verdict::Ignored) };
    let kept = kept_column(judge, &name, &new, columns.as_deref());
    let mut values =
        Values { judge, text: rows, at: 0, out: None, copied: 0, kept, changes, is_utf8 };
    if changes || !is_utf8 {
        values.out = Some(Vec::with_capacity(rows.len() + rows.len() / 16));
    }
    values.rows()?;
    let sql = match values.out {
        None if new == name && is_plain(head) => Cow::Borrowed(text),
        out => {
            let mut sql = match (verb.is("REPLACE"), ignore) {
                (true, _) => b"REPLACE INTO".to_vec(),
                (false, true) => b"INSERT IGNORE INTO".to_vec(),
                (false, false) => b"INSERT INTO".to_vec(),
            };
            table::quote(&mut sql, &new);
            if let Some(columns) = &columns {
                sql.extend_from_slice(b" (");
                for (index, column) in columns.iter().enumerate() {
                    if index > 0 {
                        sql.push(b',');
                    }
                    table::quote(&mut sql, column);
                }
                sql.push(b')');
            }
            sql.extend_from_slice(b" VALUES");
            sql.extend_from_slice(out.as_deref().unwrap_or(rows));
            Cow::Owned(sql)
        }
    };
    Ok(Verdict::Run(Run { table: new, sql, rows: true }))
}

/// Whether there is no comment in what stands before the rows: it says what servers make of it.
fn is_plain(head: &[u8]) -> bool {
    let fine = |byte: &u8| {
        byte.is_ascii_alphanumeric() || b" \n\r\t_$,()`".contains(byte) || *byte >= 0x80
    };
    head.iter().all(fine)
}

fn list(lexer: &mut Lexer<'_>) -> Result<Vec<String>, String> {
    let mut columns = Vec::new();
    loop {
        let name = lexer.next().and_then(|token| token.name());
        columns.push(name.ok_or("an INSERT whose columns can't be read")?);
        match lexer.next() {
            Some(Token::Mark(b',')) => {}
            Some(Token::Mark(b')')) => return Ok(columns),
            _ => return Err("an INSERT whose columns can't be read".to_owned()),
        }
    }
}

/// The place of the column that is not changed.
fn kept_column(judge: &Judge, old: &str, new: &str, columns: Option<&[String]>) -> Option<usize> {
    let (_, kept) = KEPT.iter().find(|(table, _)| new.ends_with(table))?;
    let columns = columns.or_else(|| judge.columns.get(old).map(Vec::as_slice))?;
    columns.iter().position(|column| column == kept)
}

/// Reads rows byte by byte; writes them when something may change.
struct Values<'a, 't> {
    judge: &'a Judge,
    text: &'t [u8],
    at: usize,
    out: Option<Vec<u8>>,
    copied: usize,
    kept: Option<usize>,
    changes: bool,
    is_utf8: bool,
}

impl<'t> Values<'_, 't> {
    fn rows(&mut self) -> Result<(), String> {
        loop {
            self.blank();
            self.expect(b'(')?;
            self.row()?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                None => break,
                Some(_) => return Err("an INSERT with something after its rows".to_owned()),
            }
        }
        if let Some(out) = &mut self.out {
            out.extend_from_slice(self.text.get(self.copied..).unwrap_or_default());
        }
        Ok(())
    }

    fn row(&mut self) -> Result<(), String> {
        let mut column = 0;
        loop {
            self.blank();
            self.value(column)?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b')') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err("a value that is not written out".to_owned()),
            }
            column += 1;
        }
    }

    fn value(&mut self, column: usize) -> Result<(), String> {
        let begin = self.at;
        match self.peek() {
            Some(b'\'' | b'"') => self.string(column, begin, false),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => {
                self.take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
                let number = self.text.get(begin..self.at).unwrap_or_default();
                let fine =
                    number.iter().all(|byte| byte.is_ascii_hexdigit() || b"+-.xX".contains(byte))
                        && !number.windows(2).any(|two| two == b"--");
                if fine { Ok(()) } else { Err("a number that can't be read".to_owned()) }
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => self.word(column, begin),
            _ => Err("a value that is not written out".to_owned()),
        }
    }

    fn word(&mut self, column: usize, begin: usize) -> Result<(), String> {
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let word = self.text.get(begin..self.at).unwrap_or_default();
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if ["NULL", "TRUE", "FALSE", "DEFAULT"].iter().any(|name| is(name)) {
            return Ok(());
        }
        let quoted = self.peek() == Some(b'\'');
        if quoted && ["X", "B"].iter().any(|name| is(name)) {
            return self.skip_string();
        }
        // A character set before its text; the text is passed on without it but for binary.
        let introducer = word.first() == Some(&b'_');
        if introducer {
            self.blank();
            if matches!(self.peek(), Some(b'\'' | b'"')) {
                return self.string(column, begin, is("_binary"));
            }
            if self.peek() == Some(b'0') || self.peek().is_some_and(|b| b"xX".contains(&b)) {
                return self.value(column);
            }
        }
        let word = String::from_utf8_lossy(word).chars().take(40).collect::<String>();
        Err(format!("an INSERT with `{word}`"))
    }

    fn string(&mut self, column: usize, begin: usize, binary: bool) -> Result<(), String> {
        let from = self.at;
        self.skip_string()?;
        if self.out.is_none() {
            return Ok(());
        }
        let raw = self.text.get(from..self.at).unwrap_or_default();
        let utf8 = self.is_utf8 || std::str::from_utf8(raw).is_ok();
        let content = literal::unescape(raw);
        let new: Vec<u8> = if binary || !utf8 {
            if utf8 {
                return Ok(());
            }
            let latin1 = self.judge.charset.as_deref() == Some("latin1") && !binary;
            if latin1 {
                literal::escape(&literal::from_latin1(&content))
            } else {
                format!("X'{}'", hex::encode(&*content)).into_bytes()
            }
        } else {
            if !self.changes || self.kept == Some(column) {
                return Ok(());
            }
            let Some(address) = &self.judge.rules.address else { return Ok(()) };
            if !address.may_be_in(&content) {
                return Ok(());
            }
            match serialized::rewrite(&content, &|text| address.apply(text)) {
                Some(changed) => literal::escape(&changed),
                None => return Ok(()),
            }
        };
        if let Some(out) = &mut self.out {
            out.extend_from_slice(self.text.get(self.copied..begin).unwrap_or_default());
            out.extend_from_slice(&new);
            self.copied = self.at;
        }
        Ok(())
    }

    fn skip_string(&mut self) -> Result<(), String> {
        let open = || "a text that is not closed".to_owned();
        let quote = self.peek().ok_or_else(open)?;
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let found = memchr2(quote, b'\\', rest).ok_or_else(open)?;
            let is_quote = rest.get(found) == Some(&quote);
            let doubled = is_quote && rest.get(found + 1) == Some(&quote);
            self.at += found + if is_quote && !doubled { 1 } else { 2 };
            if is_quote && !doubled {
                return Ok(());
            }
        }
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| wanted(**byte)).count();
    }

    fn blank(&mut self) {
        self.take_while(|byte| byte.is_ascii_whitespace());
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, wanted: u8) -> Result<(), String> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err("an INSERT whose rows can't be read".to_owned())
    }
}
