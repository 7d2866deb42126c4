//! Holds a tenant's tables in place, one at a time, while the administrator reads them.
//!
//! Whoever may make views may put one where a table was listed a moment ago, and its query would
//! run with the rights of whoever reads it. `BACKUP LOCK` takes a name's metadata lock whatever it
//! names, and runs nothing: what is a table under it stays that table until the next one is held.
//! Rows may change all the while.

use sqlx::AssertSqlSafe;
use sqlx::Column;
use sqlx::MySqlConnection;
use sqlx::Row;

use super::MariaDb;
use super::execute;
use super::names::identifier;
use super::sql_error;
use crate::error::DriverError;

/// Longer than anything reads one table: the session waits meanwhile.
const SETUP: &str = "SET SESSION wait_timeout=86400";

/// A session of the administrator that holds one table. `BACKUP LOCK` would end the transaction of
/// a session that reads.
pub(super) struct Holder {
    session: MySqlConnection,
    what: String,
}

impl Holder {
    /// One that holds nothing yet.
    pub(super) async fn open(driver: &MariaDb, what: &str) -> Result<Self, DriverError> {
        let mut session = driver.connect(what).await?;
        execute(&mut session, what, SETUP).await?;
        Ok(Self { session, what: what.to_owned() })
    }

    /// Its definitions have times as a session of this zone takes them.
    pub(super) async fn use_utc(&mut self) -> Result<(), DriverError> {
        execute(&mut self.session, &self.what, "SET SESSION time_zone='+00:00'").await.map(drop)
    }

    /// Lets go of the last table and holds this one; says how it is made. Refuses what is none.
    pub(super) async fn hold(
        &mut self,
        database: &str,
        table: &str,
    ) -> Result<String, DriverError> {
        let name = format!("{}.{}", identifier(database), identifier(table));
        execute(&mut self.session, &self.what, &format!("BACKUP LOCK {name}")).await?;
        let row = sqlx::raw_sql(AssertSqlSafe(format!("SHOW CREATE TABLE {name}")))
            .fetch_one(&mut self.session)
            .await
            .map_err(|error| sql_error(&self.what, error))?;
        // Of a view it says `View`, and executes nothing of it.
        if row.columns().first().map(Column::name) != Some("Table") {
            return Err(DriverError::failed(
                &self.what,
                format!("its table {table} was replaced by a view meanwhile"),
            ));
        }
        row.try_get_unchecked(1).map_err(|error| sql_error(&self.what, error))
    }
}

/// Whether a definition is nothing but the server's words and quoted texts. Options that it does
/// not know stand in a comment as somebody wrote them, with whatever ends the comment.
pub(super) fn is_plain(definition: &str) -> bool {
    let mut bytes = definition.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\'' | b'"' | b'`' => loop {
                match bytes.next() {
                    None => return false,
                    Some(b'\\') if byte != b'`' => {
                        bytes.next();
                    }
                    // A doubled quote opens again at once, which comes to the same.
                    Some(next) if next == byte => break,
                    Some(_) => {}
                }
            },
            b';' | b'#' => return false,
            b'/' if bytes.peek() == Some(&b'*') => return false,
            b'-' if bytes.peek() == Some(&b'-') => return false,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_somebody_wrote_outside_of_quotes_is_not_plain() {
        for plain in [
            "CREATE TABLE `a;/*` (`b` text DEFAULT 'it''s; -- \\'/* x */' CHECK (1 - -1 > 0))",
            "CREATE TABLE `a``#` (\n  `b` int(11) COMMENT '#'\n) ENGINE=InnoDB",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for bad in [
            "CREATE TABLE `a` (`b` int) ENGINE=InnoDB /* `x`='*/ SELECT * FROM mysql.user' */",
            "CREATE TABLE `a` (`b` int); GRANT ALL ON *.* TO x",
            "CREATE TABLE `a` (`b` int) -- x",
            "CREATE TABLE `a` (`b` int DEFAULT 'x)",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
