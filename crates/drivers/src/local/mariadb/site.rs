//! A site's database from making to erasing.
//!
//! The record says `making` before the first statement and `ready` in the transaction that
//! completes the last row; between the two lies nothing that the tenant can reach. So a database
//! that was killed in the middle is known by its record, and what is `ready` is never dropped.

use aipress_types::TenantUid;
use sqlx::MySqlConnection;

use super::account;
use super::execute;
use super::names::identifier;
use super::names::literal;
use super::names::password_hash;
use super::personalize;
use super::record;
use super::room;
use super::snapshot;
use super::spare;
use super::sql_error;
use super::template;
use super::template::CHARSET;
use super::template::Template;
use super::turn;
use crate::Ensured;
use crate::database::Personalization;
use crate::database::SiteDatabase;
use crate::database::SiteState;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// Makes the database, or repairs the user of one that is complete.
pub(crate) async fn ensure(
    session: &mut MySqlConnection,
    site: &SiteDatabase,
    core_version: &str,
    who: &Personalization,
) -> Result<Ensured, DriverError> {
    let what = format!("ensure database {}", site.name);
    record::ensure_schema(session).await?;
    // The usual case needs no lock: complete, and only looked at.
    let mut state = record::site_state(session, site.uid).await?;
    if state != Some(SiteState::Ready) {
        turn(session, &what, site.uid).await?;
        state = record::site_state(session, site.uid).await?;
    }
    match state {
        Some(SiteState::Ready) => keep(session, site, &what).await,
        Some(SiteState::Aside) => {
            Err(DriverError::conflict(what, "it is set aside; bring it back instead"))
        }
        Some(SiteState::Erasing) => Err(DriverError::conflict(what, "it is being erased")),
        Some(SiteState::Making) => {
            clear_half_made(session, site.uid, &what).await?;
            make(session, site, core_version, who, &what).await
        }
        None if record::has_database(session, &site.name).await? => Err(DriverError::conflict(
            what,
            "it exists and no record says that it is ours to make; look at it, then remove it \
             or its record by hand",
        )),
        None => make(session, site, core_version, who, &what).await,
    }
}

pub(super) async fn keep(
    session: &mut MySqlConnection,
    site: &SiteDatabase,
    what: &str,
) -> Result<Ensured, DriverError> {
    if !record::has_database(session, &site.name).await? {
        return Err(DriverError::conflict(
            what,
            "it was complete and is gone (its own user may drop it); restore it from a backup",
        ));
    }
    match account::ensure(session, site.uid, &site.password).await? {
        Ensured::Kept => Ok(Ensured::Kept),
        _ => Ok(Ensured::Repaired),
    }
}

/// Removes what an interrupted making left. The record says `making`: no tenant ever used it.
pub(super) async fn clear_half_made(
    session: &mut MySqlConnection,
    uid: TenantUid,
    what: &str,
) -> Result<(), DriverError> {
    let taken: Vec<String> = sqlx::query_scalar("SELECT db FROM aipress.spares WHERE taken_by = ?")
        .bind(uid.to_string())
        .fetch_all(&mut *session)
        .await
        .map_err(|error| sql_error(what, error))?;
    let mut statements = String::new();
    for database in taken {
        statements.push_str(&spare::drop_statements(&database));
    }
    statements.push_str(&format!(
        "DROP DATABASE IF EXISTS {};DROP USER IF EXISTS {};DELETE FROM aipress.sites WHERE uid={};",
        identifier(&tenant_handle(uid)),
        account::account_name(uid),
        literal(&uid.to_string())
    ));
    execute(session, what, &statements).await.map(drop)
}

async fn make(
    session: &mut MySqlConnection,
    site: &SiteDatabase,
    core_version: &str,
    who: &Personalization,
    what: &str,
) -> Result<Ensured, DriverError> {
    room::check(session, what).await?;
    let template = template::current(session, core_version).await?;
    let spare = begin(session, site, core_version, &template, what).await?;
    // An administrator's hash that no password has; signing in is by a login link.
    let no_password = aipress_kit::random::bytes::<20>()
        .map(|bytes| format!("!{}", hex::encode(bytes)))
        .map_err(|error| DriverError::failed(what, error))?;
    let mut statements = match &spare {
        Some(spare) => rename_tables(&template, spare, &site.name),
        None => spare::create_tables(&template, &site.name),
    };
    // Before the transaction: GRANT would commit it.
    statements.push_str(&account::grant_statement(site.uid, &[password_hash(&site.password)]));
    statements.push_str("BEGIN;");
    if spare.is_none() {
        statements.push_str(&spare::copy_rows(&template, &site.name));
    }
    statements.push_str(&personalize::statements(&site.name, who, &no_password));
    statements.push_str(&record::set_site_state(site.uid, SiteState::Ready));
    statements.push_str("COMMIT;");
    execute(session, what, &statements).await?;
    if let Some(spare) = spare {
        // Empty by now. If this fails, the next `ensure_spare` does it.
        let _ = execute(session, what, &spare::drop_statements(&spare)).await;
    }
    Ok(Ensured::Created)
}

/// Records that the making begins, and takes a spare where there is one, in one transaction.
async fn begin(
    session: &mut MySqlConnection,
    site: &SiteDatabase,
    core_version: &str,
    template: &Template,
    what: &str,
) -> Result<Option<String>, DriverError> {
    let uid = literal(&site.uid.to_string());
    let insert = format!(
        "INSERT INTO aipress.sites (uid, db, core_version, state) VALUES ({uid}, {}, {}, 'making');",
        literal(&site.name),
        literal(core_version),
    );
    execute(session, what, "BEGIN").await?;
    let spare: Option<String> = sqlx::query_scalar(
        "SELECT db FROM aipress.spares WHERE state = 'ready' AND template_db = ? \
         ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .bind(&template.database)
    .fetch_optional(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    let take = spare.as_ref().map_or_else(String::new, |database| {
        format!(
            "UPDATE aipress.spares SET state='taken', taken_by={uid} WHERE db={};",
            literal(database)
        )
    });
    execute(session, what, &format!("{insert}{take}COMMIT;")).await?;
    Ok(spare)
}

fn rename_tables(template: &Template, spare: &str, database: &str) -> String {
    let renames: Vec<String> = template
        .tables
        .iter()
        .map(|table| {
            let table = identifier(table);
            format!("{}.{table} TO {}.{table}", identifier(spare), identifier(database))
        })
        .collect();
    format!(
        "CREATE DATABASE {} {CHARSET};RENAME TABLE {};",
        identifier(database),
        renames.join(",")
    )
}

/// Removes the user and keeps the database.
pub(crate) async fn set_aside(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Ensured, DriverError> {
    let what = format!("set database {} aside", tenant_handle(uid));
    record::ensure_schema(session).await?;
    turn(session, &what, uid).await?;
    match record::site_state(session, uid).await? {
        Some(SiteState::Ready) => {}
        Some(SiteState::Aside) => {
            // Killed between the record and the user.
            let removed = account::remove(session, uid).await?;
            return Ok(if removed { Ensured::Repaired } else { Ensured::Kept });
        }
        Some(SiteState::Making) => {
            return Err(DriverError::conflict(what, "it was never complete; erase it"));
        }
        Some(SiteState::Erasing) => {
            return Err(DriverError::conflict(what, "it is being erased"));
        }
        None => return Err(DriverError::conflict(what, "there is no record of it")),
    }
    execute(session, &what, &record::set_site_state(uid, SiteState::Aside)).await?;
    account::remove(session, uid).await?;
    Ok(Ensured::Repaired)
}

/// Gives a database that was set aside its user again. The user comes first: a `ready` record
/// without a user is repaired by `ensure`, an `aside` one with a user by calling this again.
pub(crate) async fn bring_back(
    session: &mut MySqlConnection,
    site: &SiteDatabase,
) -> Result<Ensured, DriverError> {
    let what = format!("bring database {} back", site.name);
    record::ensure_schema(session).await?;
    turn(session, &what, site.uid).await?;
    match record::site_state(session, site.uid).await? {
        Some(SiteState::Ready) => return keep(session, site, &what).await,
        Some(SiteState::Aside) => {}
        Some(SiteState::Making | SiteState::Erasing) | None => {
            return Err(DriverError::conflict(what, "it is not set aside"));
        }
    }
    if !record::has_database(session, &site.name).await? {
        return Err(DriverError::conflict(what, "it is gone; restore it from a backup"));
    }
    account::ensure(session, site.uid, &site.password).await?;
    execute(session, &what, &record::set_site_state(site.uid, SiteState::Ready)).await?;
    Ok(Ensured::Repaired)
}

/// Removes user, database and record for good.
pub(crate) async fn erase(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Ensured, DriverError> {
    let what = format!("erase database {}", tenant_handle(uid));
    record::ensure_schema(session).await?;
    turn(session, &what, uid).await?;
    let state = record::site_state(session, uid).await?;
    if state.is_some() {
        execute(session, &what, &record::set_site_state(uid, SiteState::Erasing)).await?;
    }
    let user = account::remove(session, uid).await?;
    let database = record::has_database(session, &tenant_handle(uid)).await?;
    let copies = snapshot::erase_statements(session, uid).await?;
    execute(session, &what, &copies).await?;
    if state.is_none() && !user && !database {
        return Ok(Ensured::Kept);
    }
    clear_half_made(session, uid, &what).await?;
    Ok(Ensured::Repaired)
}
