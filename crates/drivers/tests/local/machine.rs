//! A shard of this machine: real servers in a temporary folder, ended by pid when dropped.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use aipress_drivers::DataPaths;
use aipress_drivers::DriverError;
use aipress_drivers::Drivers;
use aipress_drivers::ShardIds;
use aipress_drivers::ShardPaths;
use aipress_drivers::TemplateAccess;
use aipress_drivers::TemplateSource;
use aipress_drivers::UidPlan;
use aipress_drivers::UnitCommand;
use aipress_drivers::UnitControl;
use aipress_drivers::UnixIds;
use aipress_drivers::local;
use aipress_testkit::SmallDisk;
use aipress_types::Secret;
use aipress_types::ShardId;
use aipress_types::TenantUid;
use async_trait::async_trait;
use sqlx::Connection;
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlSslMode;

pub(crate) struct Machine {
    pub(crate) paths: ShardPaths,
    pub(crate) ids: ShardIds,
    children: Mutex<Vec<(String, Child)>>,
    _dir: tempfile::TempDir,
    pub(crate) disk: Option<SmallDisk>,
}

/// A machine on which nothing runs on demand.
struct NoUnits;

#[async_trait]
impl UnitControl for NoUnits {
    async fn start(&self, unit: &str) -> Result<(), DriverError> {
        Err(DriverError::Invalid { what: "start unit".to_owned(), detail: unit.to_owned() })
    }

    async fn stop(&self, _unit: &str) -> Result<(), DriverError> {
        Ok(())
    }
}

pub(crate) fn is_root() -> bool {
    UnixIds::current().uid == 0
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::on(None)
    }

    /// With all its files on a disk of its own, if there is one.
    pub(crate) fn on(disk: Option<SmallDisk>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let place = disk.as_ref().map_or(Path::new("/tmp"), SmallDisk::path).to_owned();
        let dir = tempfile::Builder::new().prefix("aip-").tempdir_in(place).unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o711)).unwrap();
        // Users of its own, so that tests beside each other end only their own processes.
        let nth = (std::process::id() % 20_000) * 20 + COUNT.fetch_add(1, Ordering::Relaxed);
        let plan = UidPlan::detect(1_000_000 + nth * 200);
        let shard = ShardId::from_number(1).unwrap();
        let paths = DataPaths::new(dir.path()).unwrap().shard(shard);
        let ids = plan.shard(shard).unwrap();
        Self { paths, ids, children: Mutex::default(), _dir: dir, disk }
    }

    pub(crate) fn drivers(&self) -> Drivers {
        self.drivers_with(Arc::new(NoUnits))
    }

    pub(crate) fn drivers_with(&self, units: Arc<dyn UnitControl>) -> Drivers {
        let programs = local::Programs {
            php: Some(PathBuf::from("/usr/bin/php")),
            php_dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../php"),
            wp_cli: None,
            confined_by: None,
        };
        local::open(&self.paths, self.ids, Vec::new(), units, programs).unwrap()
    }

    pub(crate) fn prepare_mariadb(&self) -> UnitCommand {
        let mut options = local::mariadb::MariadbOptions::detect().unwrap();
        options.log = Some(self.paths.dir().join("mariadb.log"));
        local::mariadb::prepare(&self.paths, &self.ids, &options).unwrap()
    }

    pub(crate) fn prepare_redis(&self) -> UnitCommand {
        let options = local::redis::RedisOptions::detect().unwrap();
        local::redis::prepare(&self.paths, &self.ids, &options).unwrap()
    }

    pub(crate) async fn start_mariadb(&self) {
        let unit = self.prepare_mariadb();
        self.start("mariadb", &unit);
        let driver = local::MariaDb::open(&self.paths).unwrap();
        until("mariadb", || async { aipress_drivers::Database::health(&driver).await }).await;
    }

    pub(crate) async fn start_redis(&self) {
        let unit = self.prepare_redis();
        self.start("redis", &unit);
        let driver = local::Redis::open(&self.paths).unwrap();
        until("redis", || async { aipress_drivers::Cache::health(&driver).await }).await;
    }

    pub(crate) fn start(&self, name: &str, unit: &UnitCommand) {
        let child = spawn(&self.paths, name, unit);
        self.children.lock().unwrap().push((name.to_owned(), child));
    }

    /// Ends a server the hard way and waits for it.
    pub(crate) fn kill(&self, name: &str) {
        let mut children = self.children.lock().unwrap();
        let at = children.iter().position(|(other, _)| other == name).unwrap();
        let (_, mut child) = children.remove(at);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts a server that ended again, as the supervisor would.
    pub(crate) fn revive_mariadb(&self) {
        let has_ended = {
            let mut children = self.children.lock().unwrap();
            let at = children.iter().position(|(name, _)| name == "mariadb").unwrap();
            let has_ended = children[at].1.try_wait().unwrap().is_some();
            if has_ended {
                children.remove(at);
            }
            has_ended
        };
        if has_ended {
            let unit = self.prepare_mariadb();
            self.start("mariadb", &unit);
        }
    }

    /// Waits for a server that ends by itself.
    pub(crate) fn ended(&self, name: &str) -> std::process::ExitStatus {
        let mut children = self.children.lock().unwrap();
        let at = children.iter().position(|(other, _)| other == name).unwrap();
        let (_, mut child) = children.remove(at);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() > deadline => {
                    child.kill().unwrap();
                    panic!("{name} goes on");
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    pub(crate) fn pid(&self, name: &str) -> u32 {
        let children = self.children.lock().unwrap();
        children.iter().find(|(other, _)| other == name).unwrap().1.id()
    }

    /// A session as a user of the database.
    pub(crate) async fn sql(
        &self,
        user: &str,
        password: &Secret,
    ) -> Result<MySqlConnection, sqlx::Error> {
        let options = MySqlConnectOptions::new()
            .socket(self.paths.mariadb_socket())
            .username(user)
            .password(password.expose())
            .ssl_mode(MySqlSslMode::Disabled);
        MySqlConnection::connect_with(&options).await
    }

    /// A session as the administrator.
    pub(crate) async fn admin(&self) -> MySqlConnection {
        self.try_admin().await.unwrap()
    }

    /// The same of a server that may be away.
    pub(crate) async fn try_admin(&self) -> Result<MySqlConnection, sqlx::Error> {
        let text = std::fs::read_to_string(self.paths.mariadb_admin()).unwrap();
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        let password = Secret::new(found["password"].as_str().unwrap());
        self.sql(found["user"].as_str().unwrap(), &password).await
    }
}

/// Starts a server as the supervisor would.
pub(crate) fn spawn(paths: &ShardPaths, name: &str, unit: &UnitCommand) -> Child {
    // The shell sets the umask and is gone: the pid is the server's.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("umask {:04o}; exec \"$@\"", unit.umask), "sh"]);
    command.arg(&unit.program);
    let log = paths.dir().join(format!("{name}.log"));
    let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
    // What the supervisor does, less than its clearing of supplementary groups.
    command.args(&unit.args).env_clear().envs(unit.env.iter().cloned());
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    if unit.ids != UnixIds::current() {
        command.uid(unit.ids.uid).gid(unit.ids.gid);
    }
    command.spawn().unwrap()
}

impl Drop for Machine {
    fn drop(&mut self) {
        for (_, mut child) in self.children.lock().unwrap().drain(..) {
            // php-fpm's master ends its workers on SIGTERM; the others are fast in it, too.
            if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(10) {
                if let Ok(Some(_)) = child.try_wait() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One MariaDB with a template, shared by the tests that run at the same time.
pub(crate) async fn shared_mariadb() -> Arc<Machine> {
    static SHARED: tokio::sync::Mutex<Weak<Machine>> = tokio::sync::Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(machine) = shared.upgrade() {
        return machine;
    }
    let machine = Arc::new(Machine::new());
    machine.start_mariadb().await;
    machine.prepare_redis();
    let database = machine.drivers().database;
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    *shared = Arc::downgrade(&machine);
    machine
}

pub(crate) const CORE: &str = "7.1";

/// Fills a template from SQL.
pub(crate) struct SqlTemplate;

#[async_trait]
impl TemplateSource for SqlTemplate {
    fn revision(&self) -> String {
        "1".to_owned()
    }

    async fn fill(&self, access: &TemplateAccess) -> Result<(), DriverError> {
        let failed = |error: sqlx::Error| DriverError::Failed {
            what: "fill template".to_owned(),
            detail: error.to_string(),
        };
        let options = MySqlConnectOptions::new()
            .socket(&access.socket)
            .username(&access.user)
            .password(access.password.expose())
            .database(&access.database)
            .ssl_mode(MySqlSslMode::Disabled)
            .pipes_as_concat(false);
        let mut session = MySqlConnection::connect_with(&options).await.map_err(failed)?;
        let text = include_str!("template.sql");
        sqlx::raw_sql(text).execute(&mut session).await.map_err(failed)?;
        Ok(())
    }
}

/// A uid that no other test uses.
pub(crate) fn fresh_uid() -> TenantUid {
    TenantUid(uuid::Uuid::new_v4())
}

/// Asks until it succeeds, at most 30 s.
pub(crate) async fn until<F, W>(what: &str, ask: F)
where
    F: Fn() -> W,
    W: Future<Output = Result<(), DriverError>>,
{
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(()) => return,
            Err(error) if started.elapsed() > Duration::from_secs(30) => panic!("{what}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Owner, group and mode of a path, links not followed.
pub(crate) fn owner(path: &Path) -> (u32, u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid(), found.mode() & 0o7777)
}
