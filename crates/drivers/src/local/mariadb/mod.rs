//! The database driver: SQL over the shard's Unix socket as administrator.
//!
//! One connection for each call: it costs 0.1 ms, and a call that is given up at any point leaves
//! no session behind that still holds locks or unread answers. A handful at once, no more.

mod account;
mod calm;
mod cron;
mod dump;
mod ending;
mod growth;
mod hold;
mod inventory;
mod load;
mod names;
mod orphans;
mod personalize;
mod record;
mod recovery;
mod room;
mod server;
mod site;
mod size;
mod slow_log;
mod snapshot;
mod spare;
mod template;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use aipress_types::Secret;
use aipress_types::TenantUid;
use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlConnectOptions;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;

pub use ending::why_ended;
pub use server::MariadbOptions;
pub use server::prepare;

pub(crate) use server::AdminCredentials;
pub(crate) use server::find_program;

use crate::Ensured;
use crate::content::Content;
use crate::content::DatabaseFacts;
use crate::database::BusySite;
use crate::database::Database;
use crate::database::DatabaseGrowth;
use crate::database::DatabaseRoom;
use crate::database::DatabaseSize;
use crate::database::DbObject;
use crate::database::Personalization;
use crate::database::SiteDatabase;
use crate::database::TemplateSource;
use crate::error::DriverError;
use crate::layout::ShardPaths;

/// Sessions of the driver at once.
const SESSIONS_MAX: usize = 8;
/// A local connect takes 0.1 ms; this is for a server that is starting or out of threads.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const HEALTH_LIMIT: Duration = Duration::from_secs(1);
/// One short list; a server that is too busy for it is looked at again in a moment.
const CALM_LIMIT: Duration = Duration::from_secs(5);
/// A clone takes 50 ms on a quiet disk and a second on a very busy one.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// A copy of all rows of a site: some 20 MB a second on a slow disk make 36 GB.
const COPY_LIMIT: Duration = Duration::from_secs(1800);

/// The shard's MariaDB.
#[derive(Debug)]
pub struct MariaDb {
    socket: PathBuf,
    slow_log: PathBuf,
    admin: AdminCredentials,
    sessions: Semaphore,
    calm: calm::Calm,
}

impl MariaDb {
    /// The server that [`prepare`] prepared; it need not run yet.
    ///
    /// # Errors
    /// When the administrator's credentials cannot be read.
    pub fn open(paths: &ShardPaths) -> Result<Self, DriverError> {
        Ok(Self {
            socket: paths.mariadb_socket(),
            slow_log: slow_log::path(paths),
            admin: AdminCredentials::read(&paths.mariadb_admin())?,
            sessions: Semaphore::new(SESSIONS_MAX),
            calm: calm::Calm::new(server::pid_file(paths)),
        })
    }

    /// Runs `work` with a session of its own, all within `limit`.
    async fn within<T, F, W>(&self, what: &str, limit: Duration, work: F) -> Result<T, DriverError>
    where
        F: FnOnce(MySqlConnection) -> W + Send,
        W: Future<Output = Result<T, DriverError>> + Send,
    {
        let timeout = || DriverError::Timeout { what: what.to_owned(), after: limit };
        let all = async {
            // The semaphore is never closed; if it were, going on unbounded would be the lesser evil.
            let _permit = self.sessions.acquire().await.ok();
            work(self.connect(what).await?).await
        };
        tokio::time::timeout(limit, all).await.map_err(|_| timeout())?
    }

    async fn connect(&self, what: &str) -> Result<MySqlConnection, DriverError> {
        let options = MySqlConnectOptions::new()
            .socket(&self.socket)
            .username(&self.admin.user)
            .password(self.admin.password.expose())
            .ssl_mode(sqlx::mysql::MySqlSslMode::Disabled)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        let mut session = tokio::time::timeout(CONNECT_LIMIT, options.connect())
            .await
            .map_err(|_| DriverError::Timeout { what: what.to_owned(), after: CONNECT_LIMIT })?
            .map_err(|error| sql_error(what, error))?;
        // Zero dates are part of WordPress's schema; an id of 0 must not become a new one.
        let setup = "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', \
                     lock_wait_timeout=10, innodb_lock_wait_timeout=10";
        execute(&mut session, what, setup).await?;
        Ok(session)
    }
}

/// Runs one or more statements as one packet. The text is built from checked names only.
async fn execute(
    session: &mut MySqlConnection,
    what: &str,
    statements: &str,
) -> Result<u64, DriverError> {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(session)
        .await
        .map(|done| done.rows_affected())
        .map_err(|error| sql_error(what, error))
}

/// Takes a server-wide lock that ends with the session. It outlives a killed control plane for as
/// long as the server still works on that one's last packet, so that two never make the same thing.
///
/// Tenants share the server's space of lock names, so ours have a part that only the administrator
/// can read: or a site could hold them and nothing would be made any more.
async fn lock(session: &mut MySqlConnection, what: &str, name: &str) -> Result<(), DriverError> {
    // In a statement of its own: one that reads accounts while it waits for the lock would be in
    // the way of the holder's CREATE USER.
    let part: Option<String> = sqlx::query_scalar(
        "SELECT SHA1(JSON_VALUE(Priv, '$.authentication_string')) FROM mysql.global_priv \
         WHERE User = ? LIMIT 1",
    )
    .bind(server::ADMIN_USER)
    .fetch_one(&mut *session)
    .await
    .map_err(|error| sql_error(what, error))?;
    let taken: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(?, 20)")
        .bind(format!("aipress:{}:{name}", part.unwrap_or_default()))
        .fetch_one(session)
        .await
        .map_err(|error| sql_error(what, error))?;
    if taken == Some(1) {
        return Ok(());
    }
    Err(DriverError::failed(what, "somebody else is at it; try again"))
}

/// Waits for what is still being done to a site: a control plane that was killed, or gave up, may have
/// a statement waiting in the server (for a row, a table, room on the disk), and that one would undo
/// later what is done now.
async fn turn(
    session: &mut MySqlConnection,
    what: &str,
    uid: TenantUid,
) -> Result<(), DriverError> {
    lock(session, what, &format!("site:{uid}")).await
}

/// Says what went wrong without quoting statements.
fn sql_error(what: &str, error: sqlx::Error) -> DriverError {
    match error {
        sqlx::Error::Io(error) => DriverError::unavailable(what, format!("mariadb: {error}")),
        sqlx::Error::Database(error) => match error.code().as_deref() {
            // A syntax error quotes the statement.
            Some("42000") if error.message().contains("syntax") => {
                DriverError::invalid(what, "mariadb does not understand the statement")
            }
            Some("28000") => DriverError::unavailable(
                what,
                "mariadb refuses the administrator; restart the shard's mariadb to renew the \
                 account from admin.json",
            ),
            _ => DriverError::failed(what, format!("mariadb: {}", error.message())),
        },
        other => DriverError::failed(what, format!("mariadb: {other}")),
    }
}

#[async_trait]
impl Database for MariaDb {
    async fn health(&self) -> Result<(), DriverError> {
        let what = "ping mariadb";
        self.within(what, HEALTH_LIMIT, async move |mut session| {
            execute(&mut session, what, "SELECT 1").await.map(drop)
        })
        .await
    }

    async fn trim_logs(&self) -> Result<(), DriverError> {
        if !slow_log::is_full(&self.slow_log) {
            return Ok(());
        }
        self.within("trim the log of slow queries", CALL_LIMIT, async |mut session| {
            slow_log::rotate(&self.slow_log, &mut session).await
        })
        .await
    }

    async fn ensure_template(
        &self,
        core_version: &str,
        source: &dyn TemplateSource,
    ) -> Result<Ensured, DriverError> {
        template::ensure(self, core_version, source).await
    }

    async fn ensure_spare(&self, core_version: &str, count: u32) -> Result<Ensured, DriverError> {
        self.within("prepare a database", CALL_LIMIT, async move |mut session| {
            spare::ensure(&mut session, core_version, count).await
        })
        .await
    }

    async fn ensure_site(
        &self,
        site: &SiteDatabase,
        core_version: &str,
        personalization: &Personalization,
    ) -> Result<Ensured, DriverError> {
        names::check_site(site)?;
        self.within("ensure site's database", CALL_LIMIT, async move |mut session| {
            site::ensure(&mut session, site, core_version, personalization).await
        })
        .await
    }

    async fn ensure_site_from(
        &self,
        site: &SiteDatabase,
        core_version: &str,
        content: &Content,
    ) -> Result<Ensured, DriverError> {
        names::check_site(site)?;
        load::ensure(self, site, core_version, content).await
    }

    async fn facts(&self, uid: TenantUid) -> Result<DatabaseFacts, DriverError> {
        self.within("measure the database", CALL_LIMIT, async move |mut session| {
            dump::facts(&mut session, uid).await
        })
        .await
    }

    async fn dump(&self, uid: TenantUid, chunks: mpsc::Sender<Vec<u8>>) -> Result<(), DriverError> {
        dump::dump(self, uid, chunks).await
    }

    async fn set_passwords(
        &self,
        uid: TenantUid,
        accepted: &[Secret],
    ) -> Result<Ensured, DriverError> {
        self.within("set database passwords", CALL_LIMIT, async move |mut session| {
            turn(&mut session, "set database passwords", uid).await?;
            account::set_passwords(&mut session, uid, accepted).await
        })
        .await
    }

    async fn suspend(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.within("suspend database user", CALL_LIMIT, async move |mut session| {
            turn(&mut session, "suspend database user", uid).await?;
            account::suspend(&mut session, uid).await
        })
        .await
    }

    async fn resume(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.within("resume database user", CALL_LIMIT, async move |mut session| {
            turn(&mut session, "resume database user", uid).await?;
            account::resume(&mut session, uid).await
        })
        .await
    }

    async fn set_aside(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.within("set database aside", CALL_LIMIT, async move |mut session| {
            site::set_aside(&mut session, uid).await
        })
        .await
    }

    async fn bring_back(&self, site: &SiteDatabase) -> Result<Ensured, DriverError> {
        names::check_site(site)?;
        self.within("bring database back", CALL_LIMIT, async move |mut session| {
            site::bring_back(&mut session, site).await
        })
        .await
    }

    async fn erase(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.within("erase database", CALL_LIMIT, async move |mut session| {
            site::erase(&mut session, uid).await
        })
        .await
    }

    async fn snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.within("keep a copy of a database", COPY_LIMIT, async move |mut session| {
            snapshot::make(self, &mut session, uid).await
        })
        .await
    }

    async fn restore_snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.within("put a database back", COPY_LIMIT, async move |mut session| {
            snapshot::restore(&mut session, uid).await
        })
        .await
    }

    async fn drop_snapshot(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.within("remove a database's copy", CALL_LIMIT, async move |mut session| {
            snapshot::remove(&mut session, uid).await
        })
        .await
    }

    async fn rooms(&self) -> Result<Vec<DatabaseRoom>, DriverError> {
        self.within("look how much databases take", CALL_LIMIT, async move |mut session| {
            growth::list(&mut session).await
        })
        .await
    }

    async fn set_growth(
        &self,
        uid: TenantUid,
        growth: DatabaseGrowth,
    ) -> Result<Ensured, DriverError> {
        self.within("let a database grow, or not", CALL_LIMIT, async move |mut session| {
            growth::set_growth(&mut session, uid, growth).await
        })
        .await
    }

    async fn give_back_logs(&self) -> Result<Ensured, DriverError> {
        self.within("give back logs of changes", CALL_LIMIT, async move |mut session| {
            growth::give_back_logs(&mut session).await
        })
        .await
    }

    async fn end_long_queries(&self, longer_than: Duration) -> Result<Vec<TenantUid>, DriverError> {
        self.within("end queries that take too long", CALL_LIMIT, async move |mut session| {
            let ended = growth::end_long_queries(&mut session, longer_than).await?;
            orphans::end(&mut session).await?;
            Ok(ended)
        })
        .await
    }

    async fn calm_queries(&self) -> Result<Vec<BusySite>, DriverError> {
        if !self.calm.is_wanted() {
            return Ok(Vec::new());
        }
        self.within("hold who keeps the server busy", CALM_LIMIT, async |mut session| {
            let busy = self.calm.hold(&mut session).await?;
            // What all sites' queries write is bounded while they write it.
            if slow_log::is_full(&self.slow_log) {
                slow_log::rotate(&self.slow_log, &mut session).await?;
            }
            if self.slow_log.parent().is_some_and(growth::has_too_many_logs) {
                growth::bound_logs(&mut session).await?;
            }
            Ok(busy)
        })
        .await
    }

    async fn size(&self, uid: TenantUid) -> Result<DatabaseSize, DriverError> {
        self.within("look at a database's size", CALL_LIMIT, async move |mut session| {
            size::of(&mut session, uid).await
        })
        .await
    }

    async fn cron_due(&self, uid: TenantUid) -> Result<Option<i64>, DriverError> {
        self.within("read scheduled events", CALL_LIMIT, async move |mut session| {
            cron::due(&mut session, uid).await
        })
        .await
    }

    async fn inventory(&self) -> Result<Vec<DbObject>, DriverError> {
        self.within("list databases", CALL_LIMIT, async move |mut session| {
            inventory::list(&mut session).await
        })
        .await
    }
}
