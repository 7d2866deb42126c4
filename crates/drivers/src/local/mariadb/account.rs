//! A tenant's user: its passwords, its rights on its own database and nothing else, its lock.

use std::time::Duration;

use aipress_types::Secret;
use aipress_types::TenantUid;
use aipress_types::capacity::DB_CONNECTIONS_PER_TENANT;
use serde::Deserialize;
use sqlx::AssertSqlSafe;
use sqlx::MySqlConnection;

use super::execute;
use super::names::grant_pattern;
use super::names::identified_via;
use super::names::password_hash;
use super::sql_error;
use crate::Ensured;
use crate::database::DatabaseGrowth;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// What a tenant may do in its own database, in the server's own order (`SHOW GRANTS` is compared
/// with it). Not: `EVENT` (runs unseen), `DELETE HISTORY`, `GRANT OPTION`, anything global.
const PRIVILEGES: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, \
                          CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, \
                          CREATE ROUTINE, ALTER ROUTINE, TRIGGER";
/// The same without what makes it larger, but for changes of rows that are there.
const PRIVILEGES_UPDATES: &str = "SELECT, UPDATE, DELETE, DROP, LOCK TABLES, EXECUTE, SHOW VIEW";
/// The same without these.
const PRIVILEGES_NOTHING: &str = "SELECT, DELETE, DROP, LOCK TABLES, EXECUTE, SHOW VIEW";
/// Every way that a database may grow: a user has one of these (`growth` sets it).
const GROWTHS: [DatabaseGrowth; 3] =
    [DatabaseGrowth::Free, DatabaseGrowth::Updates, DatabaseGrowth::Nothing];
/// A query's time-out in seconds, as a session starts (`facts.md`: 30 s).
const STATEMENT_TIME_S: u32 = 30;

/// A tenant's user as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) hashes: Vec<String>,
    pub(crate) locked: bool,
    limited: bool,
}

/// `mysql.global_priv.Priv`.
#[derive(Deserialize)]
struct PrivJson {
    #[serde(default)]
    access: u64,
    #[serde(default)]
    authentication_string: String,
    #[serde(default)]
    auth_or: Vec<AuthJson>,
    #[serde(default)]
    account_locked: bool,
    #[serde(default)]
    max_user_connections: u64,
    #[serde(default)]
    max_statement_time: f64,
}

#[derive(Deserialize)]
struct AuthJson {
    #[serde(default)]
    authentication_string: String,
}

/// Whether this `mysql.global_priv.Priv` is locked, and whether it has global rights.
pub(crate) fn lock_and_access(text: &str) -> (bool, bool) {
    serde_json::from_str::<PrivJson>(text)
        .map_or((false, true), |found| (found.account_locked, found.access != 0))
}

/// What a user whose database may grow so far may do.
pub(crate) fn privileges(growth: DatabaseGrowth) -> &'static str {
    match growth {
        DatabaseGrowth::Free => PRIVILEGES,
        DatabaseGrowth::Updates => PRIVILEGES_UPDATES,
        DatabaseGrowth::Nothing => PRIVILEGES_NOTHING,
    }
}

/// What it then may not do of all that a user may; empty when it may do everything.
pub(crate) fn withheld(growth: DatabaseGrowth) -> String {
    let kept: Vec<&str> = privileges(growth).split(", ").collect();
    let all = PRIVILEGES.split(", ").filter(|right| !kept.contains(right));
    all.collect::<Vec<_>>().join(", ")
}

/// The account text `'t_…'@'localhost'`; a handle needs no escaping.
pub(crate) fn account_name(uid: TenantUid) -> String {
    format!("'{}'@'localhost'", tenant_handle(uid))
}

/// The user as it is, where it exists.
pub(crate) async fn fetch(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Option<Account>, DriverError> {
    let what = "read database user";
    let text: Option<String> = sqlx::query_scalar(
        "SELECT CONVERT(Priv USING utf8mb4) FROM mysql.global_priv \
         WHERE User = ? AND Host = 'localhost'",
    )
    .bind(tenant_handle(uid))
    .fetch_optional(session)
    .await
    .map_err(|error| sql_error(what, error))?;
    let Some(text) = text else { return Ok(None) };
    let found: PrivJson = serde_json::from_str(&text)
        .map_err(|_| DriverError::failed(what, "mysql.global_priv is not as expected"))?;
    let hashes = found
        .auth_or
        .into_iter()
        .map(|auth| auth.authentication_string)
        .chain([found.authentication_string])
        .filter(|hash| !hash.is_empty())
        .collect();
    let limited = found.max_user_connections == u64::from(DB_CONNECTIONS_PER_TENANT)
        && found.max_statement_time == f64::from(STATEMENT_TIME_S)
        && found.access == 0;
    Ok(Some(Account { hashes, locked: found.account_locked, limited }))
}

/// The statement that makes the user with its rights, or gives an existing one these.
pub(crate) fn grant_statement(uid: TenantUid, hashes: &[String]) -> String {
    format!(
        "GRANT {PRIVILEGES} ON {}.* TO {} {} WITH MAX_USER_CONNECTIONS \
         {DB_CONNECTIONS_PER_TENANT} MAX_STATEMENT_TIME {STATEMENT_TIME_S};",
        grant_pattern(&tenant_handle(uid)),
        account_name(uid),
        identified_via(hashes),
    )
}

/// Makes the user right: there, accepting the password (others stay while rotating), with its own
/// rights and no others. Leaves a lock as it is.
pub(crate) async fn ensure(
    session: &mut MySqlConnection,
    uid: TenantUid,
    password: &Secret,
) -> Result<Ensured, DriverError> {
    let what = format!("ensure database user {}", tenant_handle(uid));
    let hash = password_hash(password);
    let Some(account) = fetch(session, uid).await? else {
        execute(session, &what, &grant_statement(uid, &[hash])).await?;
        return Ok(Ensured::Created);
    };
    let accepted = account.hashes.contains(&hash);
    let rights = grants(session, uid).await?;
    let handle = tenant_handle(uid);
    let wanted = GROWTHS.map(|growth| {
        let (rights, pattern) = (privileges(growth), grant_pattern(&handle));
        format!("GRANT {rights} ON {pattern}.* TO `{handle}`@`localhost`")
    });
    let own = rights.iter().filter(|grant| wanted.contains(grant)).count();
    let foreign = rights.len() - own - rights.iter().filter(|g| is_usage(g)).count();
    if accepted && account.limited && own == 1 && foreign == 0 {
        return Ok(Ensured::Kept);
    }
    let hashes = if accepted { account.hashes } else { vec![hash] };
    let mut statements = String::new();
    if foreign > 0 {
        let name = account_name(uid);
        statements = format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {name};");
    }
    statements.push_str(&grant_statement(uid, &hashes));
    execute(session, &what, &statements).await?;
    Ok(Ensured::Repaired)
}

fn is_usage(grant: &str) -> bool {
    grant.starts_with("GRANT USAGE ON *.* TO ") && !grant.contains("GRANT OPTION")
}

async fn grants(session: &mut MySqlConnection, uid: TenantUid) -> Result<Vec<String>, DriverError> {
    sqlx::query_scalar(AssertSqlSafe(format!("SHOW GRANTS FOR {}", account_name(uid))))
        .fetch_all(session)
        .await
        .map_err(|error| sql_error("read grants", error))
}

/// Makes the user accept exactly these passwords.
pub(crate) async fn set_passwords(
    session: &mut MySqlConnection,
    uid: TenantUid,
    accepted: &[Secret],
) -> Result<Ensured, DriverError> {
    let what = format!("set passwords of {}", tenant_handle(uid));
    let hashes: Vec<String> = accepted.iter().map(password_hash).collect();
    if hashes.is_empty() || hashes.len() > 2 {
        return Err(DriverError::invalid(what, "a user has one password, or two while rotating"));
    }
    let account = existing(session, uid, &what).await?;
    let mut have = account.hashes;
    let mut want = hashes.clone();
    have.sort();
    want.sort();
    if have == want {
        return Ok(Ensured::Kept);
    }
    let statement = format!("ALTER USER {} {};", account_name(uid), identified_via(&hashes));
    execute(session, &what, &statement).await?;
    Ok(Ensured::Repaired)
}

/// Locks the user and ends its connections; those are ended also when it is locked already.
pub(crate) async fn suspend(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Ensured, DriverError> {
    let what = format!("suspend {}", tenant_handle(uid));
    let account = existing(session, uid, &what).await?;
    if !account.locked {
        let lock = format!("ALTER USER {} ACCOUNT LOCK;", account_name(uid));
        execute(session, &what, &lock).await?;
    }
    end_connections(session, uid).await?;
    Ok(if account.locked { Ensured::Kept } else { Ensured::Repaired })
}

/// Unlocks the user.
pub(crate) async fn resume(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Ensured, DriverError> {
    let what = format!("resume {}", tenant_handle(uid));
    if !existing(session, uid, &what).await?.locked {
        return Ok(Ensured::Kept);
    }
    let unlock = format!("ALTER USER {} ACCOUNT UNLOCK;", account_name(uid));
    execute(session, &what, &unlock).await?;
    Ok(Ensured::Repaired)
}

async fn existing(
    session: &mut MySqlConnection,
    uid: TenantUid,
    what: &str,
) -> Result<Account, DriverError> {
    fetch(session, uid).await?.ok_or_else(|| {
        DriverError::conflict(what, "there is no such user; ensure the site's database first")
    })
}

/// Removes the user after its connections: a dropped user's sessions go on with their rights.
pub(crate) async fn remove(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<bool, DriverError> {
    let what = format!("remove database user {}", tenant_handle(uid));
    let Some(account) = fetch(session, uid).await? else { return Ok(false) };
    let name = account_name(uid);
    if !account.locked {
        execute(session, &what, &format!("ALTER USER {name} ACCOUNT LOCK;")).await?;
    }
    end_connections(session, uid).await?;
    execute(session, &what, &format!("DROP USER {name};")).await?;
    Ok(true)
}

/// Ends the user's connections and waits until they are gone. The user is locked already, so that
/// no new ones come; one that was signing in meanwhile is caught by the next round.
async fn end_connections(session: &mut MySqlConnection, uid: TenantUid) -> Result<(), DriverError> {
    let what = format!("end connections of {}", tenant_handle(uid));
    for _ in 0..200 {
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = ?",
        )
        .bind(tenant_handle(uid))
        .fetch_one(&mut *session)
        .await
        .map_err(|error| sql_error(&what, error))?;
        if open == 0 {
            return Ok(());
        }
        execute(session, &what, &format!("KILL HARD USER {};", account_name(uid))).await?;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err(DriverError::failed(what, "some do not end"))
}
