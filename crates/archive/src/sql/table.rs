//! `CREATE TABLE`: which columns there are, and the statement as this platform makes it.

use super::lex::Token;

/// Engines whose tables InnoDB takes over.
const ENGINES: &[&str] =
    &["innodb", "myisam", "aria", "maria", "isam", "memory", "heap", "archive"];
/// What a definition must not have: other places of files, other servers, rows from elsewhere.
const FORBIDDEN: &[&str] =
    &["directory", "connection", "union", "select", "like", "sequence", "system", "versioning"];
/// What the collations of MySQL 8 become, which MariaDB 10.11 does not know.
const COLLATION: &[u8] = b"utf8mb4_unicode_520_ci";

/// The columns of a table, in order.
pub type Columns = Vec<String>;

/// A definition of a table, rendered.
pub(super) struct Definition {
    pub(super) sql: Vec<u8>,
    pub(super) columns: Columns,
}

/// Renders what stands behind the table's name. `rename` gives the new names of tables that are
/// referred to.
pub(super) fn define(
    tokens: &[Token<'_>],
    foreign: bool,
    rename: &dyn Fn(&str) -> String,
) -> Result<Definition, String> {
    if tokens.first() != Some(&Token::Mark(b'(')) {
        return Err("a table without a list of columns".to_owned());
    }
    let mut sql = Vec::new();
    let mut columns = Vec::new();
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let starts_item = depth == 1 && matches!(before, Some(Token::Mark(b'(' | b',')));
        if starts_item && let Some(name) = column(token) {
            columns.push(name);
        }
        if let Token::Word(word) = token {
            let is_column = starts_item && column(token).is_some();
            let word = String::from_utf8_lossy(word).to_ascii_lowercase();
            if !is_column && FORBIDDEN.contains(&word.as_str()) {
                return Err(format!("a table with `{word}`"));
            }
        }
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => {
                depth = depth.checked_sub(1).ok_or("a parenthesis too many")?;
            }
            _ => {}
        }
        let taken = option(&mut sql, tokens, at, depth, foreign)?;
        if taken > 0 {
            at += taken;
            continue;
        }
        if before.is_some_and(|before| before.is("REFERENCES")) {
            quote(&mut sql, &rename(&referred(tokens, at)?));
        } else {
            render(&mut sql, token, foreign);
        }
        at += 1;
    }
    if depth > 0 {
        return Err("a parenthesis that is not closed".to_owned());
    }
    Ok(Definition { sql, columns })
}

/// The name of a table that is referred to; one of another database is none.
pub(super) fn referred(tokens: &[Token<'_>], at: usize) -> Result<String, String> {
    let name = tokens.get(at).and_then(Token::name);
    match (name, tokens.get(at + 1)) {
        (_, Some(Token::Mark(b'.'))) => Err("a reference to a named database".to_owned()),
        (Some(name), _) => Ok(name),
        (None, _) => Err("a reference without a table".to_owned()),
    }
}

/// Options of tables that become the platform's; how many words were taken.
fn option(
    sql: &mut Vec<u8>,
    tokens: &[Token<'_>],
    at: usize,
    depth: u32,
    foreign: bool,
) -> Result<usize, String> {
    let Some(token) = tokens.get(at) else { return Ok(0) };
    let named = |names: &[&str]| names.iter().any(|name| token.is(name));
    let equals = usize::from(tokens.get(at + 1) == Some(&Token::Mark(b'=')));
    let value = tokens.get(at + 1 + equals);
    if depth == 0 && named(&["ENGINE", "TYPE"]) {
        let engine = value.and_then(Token::name).unwrap_or_default();
        if !ENGINES.contains(&engine.to_ascii_lowercase().as_str()) {
            return Err(format!("a table of engine `{engine}`"));
        }
        sql.extend_from_slice(b" ENGINE=InnoDB");
        return Ok(2 + equals);
    }
    // Of other engines or servers only; InnoDB's own default is right.
    let dropped = [
        "ROW_FORMAT",
        "PAGE_CHECKSUM",
        "TRANSACTIONAL",
        "PACK_KEYS",
        "DELAY_KEY_WRITE",
        "CHECKSUM",
        "TABLESPACE",
        "INSERT_METHOD",
        "STATS_PERSISTENT",
    ];
    if depth == 0 && named(&dropped) {
        return Ok(2 + equals);
    }
    // Keys of MyISAM were cut at 1,000 bytes; InnoDB takes 3,072: nothing to do for them.
    let charset = named(&["CHARSET"]) || (named(&["SET"]) && at > 0 && is_character(tokens, at));
    if foreign
        && charset
        && value.and_then(Token::name).is_some_and(|name| name.eq_ignore_ascii_case("latin1"))
    {
        render(sql, token, foreign);
        sql.extend_from_slice(b" utf8mb4");
        return Ok(2 + equals);
    }
    Ok(0)
}

fn is_character(tokens: &[Token<'_>], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|t| t.is("CHARACTER"))
}

/// The name of the column that an item of the list begins with; `None` for keys and constraints.
fn column(token: &Token<'_>) -> Option<String> {
    const KEYS: &[&str] = &[
        "PRIMARY",
        "UNIQUE",
        "KEY",
        "INDEX",
        "FULLTEXT",
        "SPATIAL",
        "CONSTRAINT",
        "FOREIGN",
        "CHECK",
        "PERIOD",
    ];
    if KEYS.iter().any(|key| token.is(key)) { None } else { token.name() }
}

/// A name in backquotes.
pub(super) fn quote(sql: &mut Vec<u8>, name: &str) {
    sql.push(b' ');
    sql.push(b'`');
    sql.extend_from_slice(name.replace('`', "``").as_bytes());
    sql.push(b'`');
}

/// One word as it stands, with a blank before it: two signs that stood apart would begin a comment
/// beside each other.
pub(super) fn render(sql: &mut Vec<u8>, token: &Token<'_>, foreign: bool) {
    if !matches!(token, Token::Mark(b',' | b')')) {
        sql.push(b' ');
    }
    match token {
        Token::Word(word) => {
            let lower = word.to_ascii_lowercase();
            let unknown = lower.starts_with(b"utf8mb4_0900_")
                || (foreign && lower.starts_with(b"latin1_") && lower != b"latin1_bin");
            if unknown {
                sql.extend_from_slice(COLLATION);
            } else if foreign && lower == b"latin1_bin" {
                sql.extend_from_slice(b"utf8mb4_bin");
            } else {
                sql.extend_from_slice(word);
            }
        }
        Token::Name(_, raw) | Token::Text(raw) | Token::Number(raw) | Token::Operator(raw) => {
            sql.extend_from_slice(raw)
        }
        Token::Mark(mark) => sql.push(*mark),
    }
}
