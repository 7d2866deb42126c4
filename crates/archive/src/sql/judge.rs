//! What becomes of each statement. A list of what is allowed; everything else is refused.

use super::Columns;
use super::Judge;
use super::Run;
use super::Statement;
use super::insert;
use super::lex::Lexer;
use super::lex::Token;
use super::table;
use crate::error::ArchiveError;

/// Largest statement that is no `INSERT`, in bytes.
const DEFINITION_MAX: usize = 4 * 1024 * 1024;
/// Most words of one, each of which is kept while it is judged.
const WORDS_MAX: usize = 300_000;
/// Most columns of a table, and longest name of one in characters: MariaDB's own.
const COLUMNS_MAX: usize = 4_096;
const NAME_MAX: usize = 64;
/// Most tables of a dump, and columns of all of them: their names are kept to the end. A WordPress
/// with a hundred plugins has 500 and 5,000.
const TABLES_MAX: usize = 10_000;
const ALL_COLUMNS_MAX: usize = 200_000;

/// What becomes of a statement.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'t> {
    /// It runs.
    Run(Run<'t>),
    /// It does nothing that is needed here.
    Ignored,
    /// It is left out, and somebody may miss it: what it is.
    Left(String),
}

impl Judge {
    /// Judges the next statement of the dump.
    ///
    /// # Errors
    /// `Sql` with its line when it is not allowed.
    pub fn judge<'t>(&mut self, statement: &'t Statement) -> Result<Verdict<'t>, ArchiveError> {
        self.decide(&statement.text).map_err(|reason| ArchiveError::Sql {
            line: statement.line,
            reason: format!("{reason} is not taken from a dump"),
        })
    }

    fn decide<'t>(&mut self, text: &'t [u8]) -> Result<Verdict<'t>, String> {
        let mut lexer = Lexer::new(text);
        let Some(first) = lexer.next() else { return Ok(Verdict::Ignored) };
        if first.is("INSERT") || first.is("REPLACE") {
            return insert::run(self, text, &first, lexer);
        }
        if text.len() > DEFINITION_MAX {
            return Err("so large a statement that is no INSERT".to_owned());
        }
        let mut lexer = Lexer::new(text);
        let tokens: Vec<Token<'_>> = lexer.by_ref().take(WORDS_MAX + 1).collect();
        if tokens.len() > WORDS_MAX {
            return Err(format!("a statement of more than {WORDS_MAX} words that is no INSERT"));
        }
        let verdict = self.definition(&tokens)?;
        if !matches!(verdict, Verdict::Run(_)) {
            return Ok(verdict);
        }
        let marks =
            || tokens.iter().filter_map(|t| if let Token::Mark(b) = t { Some(*b) } else { None });
        if marks().any(|mark| mark == b';' || mark == b'\\') {
            return Err("a client's command, or several statements in one,".to_owned());
        }
        // Servers take some of these for a blank, others for the end of a comment's beginning.
        if marks().any(|mark| mark.is_ascii_control()) {
            return Err("a control character outside of texts".to_owned());
        }
        if lexer.is_open() {
            return Err("a text or comment that is not closed".to_owned());
        }
        Ok(verdict)
    }

    fn definition<'t>(&mut self, tokens: &[Token<'_>]) -> Result<Verdict<'t>, String> {
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is(word));
        let word = |at: usize| tokens.get(at).and_then(Token::name).unwrap_or_default();
        match word(0).to_ascii_uppercase().as_str() {
            "SET" => self.set(tokens),
            "LOCK" | "UNLOCK" | "BEGIN" | "COMMIT" | "START" | "ANALYZE" | "OPTIMIZE" => {
                Ok(Verdict::Ignored)
            }
            "DROP" if is(1, "TABLE") || is(1, "VIEW") || is(1, "TRIGGER") => Ok(Verdict::Ignored),
            "DROP" if is(1, "PROCEDURE") || is(1, "FUNCTION") || is(1, "EVENT") => {
                Ok(Verdict::Ignored)
            }
            "CREATE" if is(1, "TABLE") => self.create_table(tokens),
            "CREATE" if is(1, "DATABASE") || is(1, "SCHEMA") => Ok(Verdict::Ignored),
            "CREATE" => left(tokens),
            "ALTER" if is(1, "TABLE") => self.alter_table(tokens),
            "ALTER" if is(1, "DATABASE") || is(1, "SCHEMA") => Ok(Verdict::Ignored),
            "USE" => self.use_database(word(1)),
            other => Err(match other {
                "" => "something that is no statement".to_owned(),
                other => format!("`{}`", other.chars().take(40).collect::<String>()),
            }),
        }
    }

    /// Settings of the session are the loader's own; two of them say how the text is meant.
    fn set<'t>(&mut self, tokens: &[Token<'_>]) -> Result<Verdict<'t>, String> {
        for (at, token) in tokens.iter().enumerate() {
            if let Token::Text(raw) = token {
                let text = String::from_utf8_lossy(raw).to_ascii_uppercase();
                if text.contains("NO_BACKSLASH_ESCAPES") || text.contains("ANSI") {
                    return Err("an sql_mode that changes what texts mean".to_owned());
                }
            }
            let value = |at: usize| tokens.get(at).and_then(Token::name);
            let charset = if token.is("NAMES") {
                value(at + 1)
            } else if token.is("character_set_client")
                && tokens.get(at + 1) == Some(&Token::Mark(b'='))
            {
                value(at + 2)
            } else {
                None
            };
            if let Some(charset) = charset.filter(|name| !name.is_empty()) {
                self.charset = Some(charset.to_ascii_lowercase());
            }
        }
        Ok(Verdict::Ignored)
    }

    fn use_database<'t>(&mut self, name: String) -> Result<Verdict<'t>, String> {
        match &self.database {
            Some(known) if *known != name => {
                Err("a second database (dump that of the site alone)".to_owned())
            }
            _ => {
                self.database = Some(name);
                Ok(Verdict::Ignored)
            }
        }
    }

    fn create_table<'t>(&mut self, tokens: &[Token<'_>]) -> Result<Verdict<'t>, String> {
        let mut at = 2;
        if tokens.get(at).is_some_and(|token| token.is("IF")) {
            at += 3;
        }
        let name = self.table(tokens, at)?;
        let rename = |other: &str| self.renamed(other).unwrap_or_else(|| other.to_owned());
        let rest = tokens.get(at + 1..).unwrap_or_default();
        let definition = table::define(rest, self.rules.foreign, &rename)?;
        let Some(new) = self.renamed(&name) else {
            return Ok(Verdict::Left(format!("table {name}")));
        };
        let mut sql = b"CREATE TABLE".to_vec();
        table::quote(&mut sql, &new);
        sql.extend_from_slice(&definition.sql);
        self.keep(name, definition.columns)?;
        Ok(Verdict::Run(Run { table: new, sql: utf8(sql)?.into(), rows: false }))
    }

    /// Keeps the names of a table's columns.
    fn keep(&mut self, table: String, columns: Columns) -> Result<(), String> {
        if columns.len() > COLUMNS_MAX {
            return Err(format!("a table of more than {COLUMNS_MAX} columns"));
        }
        if columns.iter().any(|name| name.chars().count() > NAME_MAX) {
            return Err(format!("a column whose name has more than {NAME_MAX} characters"));
        }
        let before = self.columns.get(&table).map(Vec::len);
        if before.is_none() && self.columns.len() >= TABLES_MAX {
            return Err(format!("a table beyond the {TABLES_MAX} of a dump"));
        }
        let all = self.columns_kept - before.unwrap_or(0) + columns.len();
        if all > ALL_COLUMNS_MAX {
            return Err(format!("a column beyond the {ALL_COLUMNS_MAX} of a dump's tables"));
        }
        self.columns_kept = all;
        self.columns.insert(table, columns);
        Ok(())
    }

    fn alter_table<'t>(&mut self, tokens: &[Token<'_>]) -> Result<Verdict<'t>, String> {
        const FORBIDDEN: &[&str] = &[
            "RENAME",
            "DISCARD",
            "IMPORT",
            "EXCHANGE",
            "CONNECTION",
            "DIRECTORY",
            "SELECT",
            "UNION",
            "CONVERT",
            "SYSTEM",
        ];
        let name = self.table(tokens, 2)?;
        let verb = tokens.get(3).and_then(Token::name).unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "DISABLE" | "ENABLE" | "ORDER" => return Ok(Verdict::Ignored),
            "ADD" | "MODIFY" | "CHANGE" | "AUTO_INCREMENT" => {}
            _ => return Err(format!("`ALTER TABLE … {verb}`")),
        }
        if let Some(bad) =
            FORBIDDEN.iter().find(|bad| tokens.iter().skip(3).any(|token| token.is(bad)))
        {
            return Err(format!("`ALTER TABLE … {bad}`"));
        }
        let Some(new) = self.renamed(&name) else { return Ok(Verdict::Ignored) };
        let mut sql = b"ALTER TABLE".to_vec();
        table::quote(&mut sql, &new);
        for (at, token) in tokens.iter().enumerate().skip(3) {
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            if before.is_some_and(|before| before.is("REFERENCES")) {
                let name = table::referred(tokens, at)?;
                table::quote(&mut sql, &self.renamed(&name).unwrap_or(name));
            } else {
                table::render(&mut sql, token, self.rules.foreign);
            }
        }
        Ok(Verdict::Run(Run { table: new, sql: utf8(sql)?.into(), rows: false }))
    }

    /// The name of a table at a place; one of another database is none.
    fn table(&self, tokens: &[Token<'_>], at: usize) -> Result<String, String> {
        if tokens.get(at + 1) == Some(&Token::Mark(b'.')) {
            return Err("a table of a named database".to_owned());
        }
        let name = tokens.get(at).and_then(Token::name);
        name.filter(|name| (1..=64).contains(&name.chars().count()))
            .ok_or_else(|| "a table without a name".to_owned())
    }
}

/// What is made by a `CREATE` that is left out. `OR REPLACE`, `DEFINER=…` and the like stand
/// before the word that says what it is.
fn left<'t>(tokens: &[Token<'_>]) -> Result<Verdict<'t>, String> {
    for (at, token) in tokens.iter().enumerate().take(24) {
        for kind in ["VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"] {
            if token.is(kind) {
                let name = tokens.get(at + 1).and_then(Token::name).unwrap_or_default();
                return Ok(Verdict::Left(format!("{} {name}", kind.to_ascii_lowercase())));
            }
        }
        if token.is("USER") || token.is("ROLE") || token.is("SERVER") {
            break;
        }
    }
    let word = tokens.get(1).and_then(Token::name).unwrap_or_default();
    Err(format!("`CREATE {}`", word.to_ascii_uppercase()))
}

/// Definitions are text; names in another character set can't be told apart.
fn utf8(sql: Vec<u8>) -> Result<Vec<u8>, String> {
    match String::from_utf8(sql) {
        Ok(text) => Ok(text.into_bytes()),
        Err(_) => Err("a definition that is not UTF-8".to_owned()),
    }
}
