//! A dump as a stream of statements: cut, judged, changed. Nothing that is not on the list of
//! what a dump of WordPress needs ever reaches a server, and what reaches it is what was judged.

mod insert;
mod judge;
mod lex;
mod literal;
pub(crate) mod rows;
mod split;
mod table;

pub use judge::Verdict;
pub use literal::escape;
pub use literal::escape_into;
pub use split::Splitter;
pub use split::Statement;
pub use table::Columns;

use std::borrow::Cow;
use std::collections::HashMap;

use crate::address::AddressChange;

/// Largest statement, in bytes: the server takes no packet above it (`max_allowed_packet`).
pub const STATEMENT_MAX: usize = 64 * 1024 * 1024;

/// How a dump is changed on its way.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Old and new prefix of tables, where they differ.
    pub prefix: Option<(String, String)>,
    /// The change of address.
    pub address: Option<AddressChange>,
    /// It comes from another host: engines, character sets and collations become the platform's.
    pub foreign: bool,
}

/// Judges and changes the statements of one dump, in their order.
#[derive(Debug, Default)]
pub struct Judge {
    rules: Rules,
    columns: HashMap<String, Columns>,
    /// Columns of all of them.
    columns_kept: usize,
    /// Character set that the dump says its text has.
    charset: Option<String>,
    database: Option<String>,
}

/// A statement to be run.
#[derive(Debug, PartialEq, Eq)]
pub struct Run<'t> {
    /// The table that it is about, by its new name.
    pub table: String,
    /// Its text: UTF-8, one statement.
    pub sql: Cow<'t, [u8]>,
    /// Whether it fills the table (and does not make it).
    pub rows: bool,
}

impl Judge {
    /// A judge of one dump.
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// The new name of a table; `None` when the table is left out, because its new name would be
    /// another's.
    fn renamed(&self, table: &str) -> Option<String> {
        let Some((old, new)) = &self.rules.prefix else { return Some(table.to_owned()) };
        match table.strip_prefix(old.as_str()) {
            Some(rest) => Some(format!("{new}{rest}")),
            None if table.starts_with(new.as_str()) => None,
            None => Some(table.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
