//! The template database of a core version: filled once by somebody else, cloned for each site.
//!
//! A template is never changed: another revision is a new database, and the record says which is
//! current. A half-filled one is dropped and filled again.

use std::collections::HashSet;
use std::time::Duration;

use aipress_types::Secret;
use sqlx::MySqlConnection;

use super::CALL_LIMIT;
use super::MariaDb;
use super::execute;
use super::lock;
use super::names::grant_pattern;
use super::names::identified_via;
use super::names::identifier;
use super::names::literal;
use super::names::password_hash;
use super::record;
use super::room;
use super::sql_error;
use crate::Ensured;
use crate::database::TemplateAccess;
use crate::database::TemplateSource;
use crate::error::DriverError;

/// What names of template databases begin with.
pub(crate) const TEMPLATE_PREFIX: &str = "aipress_tpl_";
/// The user that fills a template; exists during [`ensure`] only.
pub(crate) const INSTALLER_USER: &str = "aipress_installer";
/// Character set of WordPress's tables (`wpdb::determine_charset()` prefers it as well).
pub(crate) const CHARSET: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci";

/// The current template of a core version.
pub(crate) struct Template {
    pub(crate) database: String,
    pub(crate) tables: Vec<String>,
}

/// The current template of a core version.
pub(crate) async fn current(
    session: &mut MySqlConnection,
    core_version: &str,
) -> Result<Template, DriverError> {
    let what = format!("find template of wordpress {core_version}");
    let database: Option<String> = sqlx::query_scalar(
        "SELECT db FROM aipress.templates WHERE core_version = ? AND state = 'ready' \
         ORDER BY created_at DESC LIMIT 1",
    )
    .bind(core_version)
    .fetch_optional(&mut *session)
    .await
    .map_err(|error| sql_error(&what, error))?;
    let Some(database) = database else {
        // Retryable: the reconciler makes templates before or beside the sites.
        return Err(DriverError::failed(what, "not made yet"));
    };
    let tables = record::tables(session, &database).await?;
    if tables.is_empty() {
        return Err(DriverError::failed(what, format!("{database} is empty; it is made again")));
    }
    Ok(Template { database, tables })
}

/// Makes the template where it is missing or of another revision.
pub(crate) async fn ensure(
    driver: &MariaDb,
    core_version: &str,
    source: &dyn TemplateSource,
) -> Result<Ensured, DriverError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    if core_version.is_empty() || core_version.len() > 20 || !core_version.bytes().all(plain) {
        return Err(DriverError::invalid(
            "make template",
            format!("`{core_version}` is no version"),
        ));
    }
    let limit = source.time_limit() + CALL_LIMIT;
    let socket = driver.socket.clone();
    driver
        .within("make template", limit, async move |mut session| {
            record::ensure_schema(&mut session).await?;
            lock(&mut session, "make template", &format!("template:{core_version}")).await?;
            if is_current(&mut session, core_version, &source.revision()).await? {
                return Ok(Ensured::Kept);
            }
            room::check(&mut session, "make template").await?;
            let access = begin(&mut session, core_version, &source.revision(), socket).await?;
            fill(source, &access).await?;
            finish(&mut session, core_version, &access.database).await?;
            Ok(Ensured::Created)
        })
        .await
}

async fn fill(source: &dyn TemplateSource, access: &TemplateAccess) -> Result<(), DriverError> {
    let limit: Duration = source.time_limit();
    tokio::time::timeout(limit, source.fill(access))
        .await
        .map_err(|_| DriverError::Timeout { what: "fill template".to_owned(), after: limit })?
}

async fn is_current(
    session: &mut MySqlConnection,
    core_version: &str,
    revision: &str,
) -> Result<bool, DriverError> {
    let database: Option<String> = sqlx::query_scalar(
        "SELECT db FROM aipress.templates WHERE core_version = ? AND revision = ? \
         AND state = 'ready' ORDER BY created_at DESC LIMIT 1",
    )
    .bind(core_version)
    .bind(revision)
    .fetch_optional(&mut *session)
    .await
    .map_err(|error| sql_error("find template", error))?;
    match database {
        Some(database) => Ok(!record::tables(session, &database).await?.is_empty()),
        None => Ok(false),
    }
}

/// Clears what an interrupted fill left, makes an empty database and a user for it.
async fn begin(
    session: &mut MySqlConnection,
    core_version: &str,
    revision: &str,
    socket: std::path::PathBuf,
) -> Result<TemplateAccess, DriverError> {
    let what = "begin template";
    drop_in_state(session, core_version, "making", "").await?;
    let suffix = aipress_kit::random::alphanumeric(8)
        .map_err(|error| DriverError::failed(what, error))?
        .to_ascii_lowercase();
    let version = core_version.replace(['.', '-'], "_");
    let database = format!("{TEMPLATE_PREFIX}{version}_{suffix}");
    let password = aipress_kit::random::alphanumeric(40)
        .map(Secret::new)
        .map_err(|error| DriverError::failed(what, error))?;
    let statements = format!(
        "INSERT INTO aipress.templates (db, core_version, revision, state) VALUES \
         ({name}, {version}, {revision}, 'making');\
         CREATE DATABASE {db} {CHARSET};\
         DROP USER IF EXISTS '{INSTALLER_USER}'@'localhost';\
         GRANT ALL PRIVILEGES ON {pattern}.* TO '{INSTALLER_USER}'@'localhost' {via};",
        name = literal(&database),
        version = literal(core_version),
        revision = literal(revision),
        db = identifier(&database),
        pattern = grant_pattern(&database),
        via = identified_via(&[password_hash(&password)]),
    );
    execute(session, what, &statements).await?;
    Ok(TemplateAccess { socket, database, user: INSTALLER_USER.to_owned(), password })
}

/// Makes the filled database the current one and drops its predecessors.
async fn finish(
    session: &mut MySqlConnection,
    core_version: &str,
    database: &str,
) -> Result<(), DriverError> {
    let what = "finish template";
    let tables: HashSet<String> = record::tables(session, database).await?.into_iter().collect();
    for needed in ["wp_options", "wp_users", "wp_usermeta", "wp_posts", "wp_comments"] {
        if !tables.contains(needed) {
            return Err(DriverError::failed(what, format!("the installer made no {needed}")));
        }
    }
    let statements = format!(
        "DROP USER IF EXISTS '{INSTALLER_USER}'@'localhost';\
         UPDATE aipress.templates SET state='ready', created_at=CURRENT_TIMESTAMP(6) WHERE db={};",
        literal(database)
    );
    execute(session, what, &statements).await?;
    drop_in_state(session, core_version, "ready", database).await
}

/// Drops the templates of a version that are in a state, but for one. The record goes last.
async fn drop_in_state(
    session: &mut MySqlConnection,
    core_version: &str,
    state: &str,
    keep: &str,
) -> Result<(), DriverError> {
    let what = "drop old template";
    let old: Vec<String> = sqlx::query_scalar(
        "SELECT db FROM aipress.templates WHERE core_version = ? AND state = ? AND db <> ?",
    )
    .bind(core_version)
    .bind(state)
    .bind(keep)
    .fetch_all(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    for database in old {
        let statements = format!(
            "DROP DATABASE IF EXISTS {};DELETE FROM aipress.templates WHERE db={};",
            identifier(&database),
            literal(&database)
        );
        execute(session, what, &statements).await?;
    }
    Ok(())
}
