//! Names, literals and password hashes in SQL text. Statements that make databases, users and
//! grants take no parameters, so their text is built here and nowhere else.

use sha1::Digest;
use sha1::Sha1;

use aipress_types::Secret;

use crate::database::SiteDatabase;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// An identifier in backquotes.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as a literal. In hexadecimal, so that no `sql_mode` and no character set changes where
/// it ends.
pub(crate) fn literal(text: &str) -> String {
    if text.is_empty() { "''".to_owned() } else { format!("_utf8mb4 X'{}'", hex::encode(text)) }
}

/// A database name as a pattern of `GRANT`, where `_` and `%` are wildcards: ``GRANT … ON
/// `t_abc`.*`` would also reach `txabc`.
pub(crate) fn grant_pattern(database: &str) -> String {
    let escaped = database.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%");
    identifier(&escaped)
}

/// What `mysql_native_password` stores: `*` and SHA1(SHA1(password)) in hexadecimal. Computed
/// here so that no password is part of a statement (statements reach the binary log).
pub(crate) fn password_hash(password: &Secret) -> String {
    let stage = Sha1::digest(Sha1::digest(password.expose().as_bytes()));
    format!("*{}", hex::encode_upper(stage))
}

/// The `IDENTIFIED VIA …` clause that accepts any of these passwords.
pub(crate) fn identified_via(hashes: &[String]) -> String {
    let ways: Vec<String> =
        hashes.iter().map(|hash| format!("mysql_native_password USING '{hash}'")).collect();
    format!("IDENTIFIED VIA {}", ways.join(" OR "))
}

/// Refuses names that are not the tenant's handle: they go into statements.
pub(crate) fn check_site(site: &SiteDatabase) -> Result<(), DriverError> {
    let handle = tenant_handle(site.uid);
    if site.name == handle && site.user == handle {
        return Ok(());
    }
    Err(DriverError::invalid(
        format!("use database {}", site.name),
        format!("database and user of this tenant are called {handle}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_servers() {
        // SELECT PASSWORD('password') says this.
        let hash = password_hash(&Secret::new("password"));
        assert_eq!(hash, "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
    }

    #[test]
    fn wildcards_are_escaped_in_grants_only() {
        assert_eq!(grant_pattern("t_a%b"), "`t\\_a\\%b`");
        assert_eq!(identifier("t_a`b"), "`t_a``b`");
    }

    #[test]
    fn literals_cannot_end_early() {
        assert_eq!(literal("a'b\\"), "_utf8mb4 X'6127625c'");
        assert_eq!(literal(""), "''");
    }
}
