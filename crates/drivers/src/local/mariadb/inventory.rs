//! Everything in the server that is not MariaDB's own, each with who explains it.

use std::collections::HashMap;

use aipress_types::TenantUid;
use sqlx::MySqlConnection;

use super::account;
use super::record;
use super::record::RECORD_DATABASE;
use super::server::ADMIN_USER;
use super::snapshot;
use super::sql_error;
use super::template::INSTALLER_USER;
use crate::database::DbObject;
use crate::database::DbObjectKind;
use crate::database::DbOwner;
use crate::database::SiteState;
use crate::error::DriverError;
use crate::layout::tenant_handle;
use crate::layout::tenant_of_handle;

/// Who explains names, from the record.
struct Owners {
    sites: HashMap<TenantUid, SiteState>,
    databases: HashMap<String, DbOwner>,
}

/// Lists records, databases, users and grants.
pub(crate) async fn list(session: &mut MySqlConnection) -> Result<Vec<DbObject>, DriverError> {
    let owners = owners(session).await?;
    let mut objects: Vec<DbObject> = owners
        .sites
        .iter()
        .map(|(uid, state)| {
            object(DbObjectKind::Record, tenant_handle(*uid), DbOwner::Site(*uid, *state))
        })
        .collect();
    objects.extend(databases(session, &owners).await?);
    objects.extend(users(session, &owners).await?);
    objects.extend(grants(session, &owners).await?);
    objects.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(objects)
}

fn object(kind: DbObjectKind, name: String, owner: DbOwner) -> DbObject {
    DbObject { kind, name, owner, locked: false }
}

impl Owners {
    fn of_handle(&self, name: &str) -> DbOwner {
        match tenant_of_handle(name) {
            Some(uid) => match self.sites.get(&uid) {
                Some(state) => DbOwner::Site(uid, *state),
                None => DbOwner::Unrecorded(uid),
            },
            None => DbOwner::Unexplained,
        }
    }

    fn of_database(&self, name: &str) -> DbOwner {
        self.databases.get(name).cloned().unwrap_or_else(|| self.of_handle(name))
    }

    fn of_user(&self, user: &str, host: &str) -> DbOwner {
        match (user, host) {
            (ADMIN_USER | INSTALLER_USER, "localhost") => DbOwner::Platform,
            (_, "localhost") => self.of_handle(user),
            _ => DbOwner::Unexplained,
        }
    }
}

async fn owners(session: &mut MySqlConnection) -> Result<Owners, DriverError> {
    record::ensure_schema(session).await?;
    let what = "read the platform's record";
    let sites: Vec<(String, String)> = sqlx::query_as("SELECT uid, state FROM aipress.sites")
        .fetch_all(&mut *session)
        .await
        .map_err(|error| sql_error(what, error))?;
    let copies: Vec<(String, String)> = sqlx::query_as(
        "SELECT db, core_version FROM aipress.templates UNION ALL \
         SELECT s.db, COALESCE(t.core_version, '') FROM aipress.spares s \
         LEFT JOIN aipress.templates t ON t.db = s.template_db",
    )
    .fetch_all(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    let mut databases: HashMap<String, DbOwner> =
        copies.into_iter().map(|(db, version)| (db, DbOwner::Template(version))).collect();
    let snapshots = snapshot::list(session).await?;
    databases.insert(RECORD_DATABASE.to_owned(), DbOwner::Platform);
    let sites: HashMap<TenantUid, SiteState> = sites
        .into_iter()
        .filter_map(|(uid, state)| Some((uid.parse().ok()?, SiteState::parse(&state)?)))
        .collect();
    for (db, uid) in snapshots {
        let Ok(uid) = uid.parse() else { continue };
        let owner = match sites.get(&uid) {
            Some(state) => DbOwner::Site(uid, *state),
            None => DbOwner::Unrecorded(uid),
        };
        databases.insert(db, owner);
    }
    Ok(Owners { sites, databases })
}

async fn databases(
    session: &mut MySqlConnection,
    owners: &Owners,
) -> Result<Vec<DbObject>, DriverError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT CONVERT(SCHEMA_NAME USING utf8mb4) FROM information_schema.SCHEMATA WHERE \
         SCHEMA_NAME NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')",
    )
    .fetch_all(session)
    .await
    .map_err(|error| sql_error("list databases", error))?;
    Ok(names
        .into_iter()
        .map(|name| {
            let owner = owners.of_database(&name);
            object(DbObjectKind::Database, name, owner)
        })
        .collect())
}

async fn users(
    session: &mut MySqlConnection,
    owners: &Owners,
) -> Result<Vec<DbObject>, DriverError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT CONVERT(User USING utf8mb4), CONVERT(Host USING utf8mb4), \
         CONVERT(Priv USING utf8mb4) FROM mysql.global_priv WHERE User <> 'mariadb.sys'",
    )
    .fetch_all(session)
    .await
    .map_err(|error| sql_error("list users", error))?;
    let mut objects = Vec::new();
    for (user, host, text) in rows {
        let (locked, global) = account::lock_and_access(&text);
        let owner = owners.of_user(&user, &host);
        let name = format!("{user}@{host}");
        if global && owner != DbOwner::Platform {
            // Nobody but the platform may have rights on everything.
            let right = format!("{name} ON *");
            objects.push(object(DbObjectKind::Grant, right, DbOwner::Unexplained));
        }
        objects.push(DbObject { kind: DbObjectKind::User, name, owner, locked });
    }
    Ok(objects)
}

/// Rights on databases, tables, columns and routines. A right is explained when its user is and
/// the pattern is that user's own database.
async fn grants(
    session: &mut MySqlConnection,
    owners: &Owners,
) -> Result<Vec<DbObject>, DriverError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT CONVERT(User USING utf8mb4), CONVERT(Host USING utf8mb4), \
                CONVERT(Db USING utf8mb4) FROM mysql.db \
         UNION SELECT CONVERT(User USING utf8mb4), CONVERT(Host USING utf8mb4), \
                CONCAT(CONVERT(Db USING utf8mb4), '.', CONVERT(Table_name USING utf8mb4)) \
                FROM mysql.tables_priv \
         UNION SELECT CONVERT(User USING utf8mb4), CONVERT(Host USING utf8mb4), \
                CONCAT(CONVERT(Db USING utf8mb4), '.', CONVERT(Routine_name USING utf8mb4)) \
                FROM mysql.procs_priv",
    )
    .fetch_all(session)
    .await
    .map_err(|error| sql_error("list grants", error))?;
    let mut objects = Vec::new();
    for (user, host, pattern) in rows {
        if user == "mariadb.sys" {
            continue;
        }
        // A tenant that makes a routine gets rights on it (`automatic_sp_privileges`).
        let database = pattern.split('.').next().unwrap_or_default().replace("\\_", "_");
        let owner = match owners.of_user(&user, &host) {
            DbOwner::Platform => DbOwner::Platform,
            // The escape of `_` is part of being right.
            owner if database == user && (pattern.contains("\\_") || pattern.contains('.')) => {
                owner
            }
            _ => DbOwner::Unexplained,
        };
        objects.push(object(DbObjectKind::Grant, format!("{user}@{host} ON {pattern}"), owner));
    }
    Ok(objects)
}
