//! The units of the platform: what runs, as whom, on which sockets, and when it counts as ready.

use std::sync::Arc;
use std::time::Duration;

use aipress_drivers::DataPaths;
use aipress_drivers::DriverError;
use aipress_drivers::ShardIds;
use aipress_drivers::ShardPaths;
use aipress_drivers::Slot;
use aipress_drivers::UnitCommand;
use aipress_drivers::UnixIds;
use aipress_drivers::local;
use aipress_drivers::local::fpm::OpenBasedir;
use aipress_drivers::local::fpm::PhpFpmOptions;
use aipress_drivers::local::mariadb::MariadbOptions;
use aipress_drivers::local::redis::RedisOptions;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_supervise::Credentials;
use aipress_supervise::Explain;
use aipress_supervise::LogFile;
use aipress_supervise::Prepare;
use aipress_supervise::Readiness;
use aipress_supervise::Rlimit;
use aipress_supervise::RlimitResource;
use aipress_supervise::SocketAddress;
use aipress_supervise::SocketSpec;
use aipress_supervise::Step;
use aipress_supervise::StopPolicy;
use aipress_supervise::StopSignal;
use aipress_supervise::Unit;
use aipress_types::ShardId;
use bytes::Bytes;

use crate::data;
use crate::master_key;
use crate::php_files;
use crate::settings::Settings;
use crate::up::ground;
use crate::up::ground::Ground;
use crate::up::last_words;

/// A server may take this long to be ready: a database that recovers after a crash.
const SERVER_READY: Duration = Duration::from_secs(300);
/// A role of ours.
const ROLE_READY: Duration = Duration::from_secs(30);
/// A control plane that dies again and again is tried this often: people wait for it.
const CONTROL_RESTART: Duration = Duration::from_secs(1);
/// Open files of a role at most.
const OPEN_FILES: u64 = 65_536;
/// Short of memory, a site's PHP goes before anything that holds data.
const PHP_OOM_SCORE_ADJ: Option<i16> = Some(500);
/// Processes and threads of one slot's user at once: its workers (32 at most) and its commands'.
const PHP_PROCESSES: u64 = 128;
/// Memory that one PHP process can write, in bytes: what gold may give PHP, as much again for
/// libraries, which PHP's own limit does not count.
const PHP_DATA_BYTES: u64 = 1 << 30;
/// A slot's own php-fpm ends when its requests have; it ends them itself after 10 s.
const OWN_PHP_GRACE: Duration = Duration::from_secs(15);
/// Making the first data folder of a database.
const PREPARE: Duration = Duration::from_secs(180);

/// All of them.
pub(super) fn all(paths: &DataPaths, ground: &Ground) -> anyhow::Result<Vec<Unit>> {
    let maker = Maker { paths, ground };
    let mut units = vec![maker.meta()?, maker.edge()?];
    for shard in ground::shards(&ground.settings) {
        units.extend(maker.shard(shard)?);
    }
    Ok(units)
}

/// Variable that names the folder of a debug build's faults (`kit/src/faults.rs`).
pub(crate) const FAULT_DIR_VARIABLE: &str = "AIPRESS_FAULT_DIR";

struct Maker<'a> {
    paths: &'a DataPaths,
    ground: &'a Ground,
}

impl Maker<'_> {
    fn settings(&self) -> &Settings {
        &self.ground.settings
    }

    fn log(&self, unit: &str) -> LogFile {
        LogFile::new(self.paths.logs().join(format!("{unit}.log")))
    }

    /// A role of this binary.
    fn role(&self, name: &str, arguments: &[&str], ids: UnixIds) -> anyhow::Result<Unit> {
        let mut argv = vec![
            self.ground.program.to_string_lossy().into_owned(),
            "--data".to_owned(),
            self.paths.root().to_string_lossy().into_owned(),
            "role".to_owned(),
        ];
        argv.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let mut unit = Unit::new(name, argv, self.log(name).path);
        unit.log = self.log(name);
        let log = unit.log.path.clone();
        unit.explain = Some(Explain::new(move || last_words::of(&log)));
        unit.user = credentials(ids, Vec::new());
        unit.umask = 0o027;
        // Commands in sites are started by the shard's, and have it from there.
        unit.no_new_privs = true;
        unit.rlimits = vec![open_files(), no_core()];
        unit.env.insert("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into());
        for variable in ["AIPRESS_LOG", FAULT_DIR_VARIABLE] {
            if let Ok(value) = std::env::var(variable) {
                unit.env.insert(variable.to_owned(), value);
            }
        }
        Ok(unit)
    }

    fn meta(&self) -> anyhow::Result<Unit> {
        let uids = self.settings().uids();
        let edge = uids.edge();
        let mut unit = self.role("meta", &["meta"], uids.meta())?;
        unit.restart.max = CONTROL_RESTART;
        let public = self.paths.run().join("meta.sock");
        unit.sockets = vec![
            socket("public", &public, 0o600, edge),
            // Shards call as root, which no mode keeps out.
            socket("internal", &self.paths.run().join("meta-internal.sock"), 0o600, edge),
        ];
        unit.readiness = answers(public, "/v1/health");
        // What a large sort of SQLite's does not keep in memory goes where meta may write.
        let own = self.paths.meta().to_string_lossy().into_owned();
        unit.env.insert("SQLITE_TMPDIR".into(), own);
        // Whoever gives the key by a variable keeps it off this disk. Meta takes it from its
        // environment as its first act.
        if let Some(key) = master_key::given() {
            unit.env.insert(master_key::VARIABLE.to_owned(), key.expose().to_owned());
        }
        Ok(unit)
    }

    fn edge(&self) -> anyhow::Result<Unit> {
        let mut unit = self.role("edge", &["edge"], self.settings().uids().edge())?;
        unit.sockets = vec![SocketSpec::tcp("edge", self.settings().listen)];
        // Visitors wait in the backlog meanwhile: never long.
        unit.restart.max = Duration::from_millis(500);
        Ok(unit)
    }

    fn shard(&self, shard: ShardId) -> anyhow::Result<Vec<Unit>> {
        let (paths, ids) = (self.paths.shard(shard), self.settings().uids().shard(shard)?);
        let php = self.php_options();
        let mut units = self.servers(&paths, ids, &php)?;
        let meta = self.settings().uids().meta();
        let name = shard.to_string();
        let mut control = self.role(&name, &["shard", &name], ids.root())?;
        control.sockets = vec![SocketSpec {
            name: "control".into(),
            address: SocketAddress::Unix {
                path: paths.control_socket(),
                mode: 0o660,
                owner: owner((meta.uid, ids.gateway().gid)),
            },
            backlog: 1024,
        }];
        // Every site's PHP writes to it; the kernel says whose it is.
        control.sockets.push(SocketSpec {
            name: "mail".into(),
            address: SocketAddress::Unix {
                path: paths.mail_socket(),
                mode: 0o666,
                owner: owner((ids.root().uid, ids.root().gid)),
            },
            backlog: 1024,
        });
        control.restart.max = CONTROL_RESTART;
        // The control plane is up without its servers: it says what is wrong, and waits.
        control.after = units.iter().map(|unit| unit.name.clone()).collect();
        let gateway_name = format!("{name}-gateway");
        let mut gateway = self.role(&gateway_name, &["gateway", &name], ids.gateway())?;
        gateway.user = credentials(ids.gateway(), ids.slot_gids());
        gateway.restart.max = Duration::from_millis(500);
        gateway.sockets =
            vec![socket("gateway", &paths.gateway_socket(), 0o600, self.settings().uids().edge())];
        units.extend([control, gateway]);
        units.extend(Slot::all().map(|slot| self.own_php(&paths, ids, &php, slot)));
        Ok(units)
    }

    fn php_options(&self) -> Arc<PhpFpmOptions> {
        let mut php = PhpFpmOptions::new(self.ground.php.clone());
        let php_dir = php_files::dir(&self.paths.php());
        php.open_basedir = OpenBasedir::Prepended(php_dir.join("prepend.php"));
        php.confined_by = Some(self.ground.program.clone());
        Arc::new(php)
    }

    /// A slot's own php-fpm master, which the shard asks for when a tenant of tier gold sits there.
    fn own_php(
        &self,
        paths: &ShardPaths,
        ids: ShardIds,
        php: &Arc<PhpFpmOptions>,
        slot: Slot,
    ) -> Unit {
        let command = local::fpm::own_command(paths, &ids, php, slot);
        let php = Arc::clone(php);
        let prepare = move |p: &ShardPaths, i: &ShardIds| local::fpm::prepare_own(p, i, &php, slot);
        let name = local::fpm::own_unit(paths.id(), slot);
        let mut unit = self.server(name, command, paths, ids, prepare);
        unit.on_demand = true;
        unit.stop = StopPolicy { signal: StopSignal::Quit, grace: OWN_PHP_GRACE };
        unit.oom_score_adj = PHP_OOM_SCORE_ADJ;
        unit.rlimits = php_limits();
        unit
    }

    fn servers(
        &self,
        paths: &ShardPaths,
        ids: ShardIds,
        php: &Arc<PhpFpmOptions>,
    ) -> anyhow::Result<Vec<Unit>> {
        let id = paths.id();
        let mut mariadb = MariadbOptions::detect()?;
        if let Some(mib) = self.settings().buffer_pool_mib {
            mariadb.buffer_pool_mib = mib;
        }
        mariadb.log = Some(self.log(&format!("{id}-mariadb")).path);
        let redis = RedisOptions::detect()?;
        let php = Arc::clone(php);
        let mut units = vec![
            self.prepared(format!("{id}-mariadb"), paths, ids, move |p, i| {
                local::mariadb::prepare(p, i, &mariadb)
            })?,
            self.prepared(format!("{id}-redis"), paths, ids, move |p, i| {
                local::redis::prepare(p, i, &redis)
            })?,
            self.prepared(format!("{id}-php-fpm"), paths, ids, move |p, i| {
                local::fpm::prepare(p, i, &php)
            })?,
        ];
        let log = units[0].log.path.clone();
        units[0].explain = Some(Explain::new(move || local::mariadb::why_ended(&log)));
        // A database is asked to end and waited for: it is never cut off in a hurry.
        units[0].stop = StopPolicy { signal: StopSignal::Term, grace: Duration::from_secs(300) };
        units[2].oom_score_adj = PHP_OOM_SCORE_ADJ;
        units[2].rlimits = php_limits();
        Ok(units)
    }

    /// A server that is prepared here once, so that what is wrong is said at once.
    fn prepared(
        &self,
        name: String,
        paths: &ShardPaths,
        ids: ShardIds,
        prepare: impl PrepareServer,
    ) -> anyhow::Result<Unit> {
        let command = prepare(paths, &ids)?;
        Ok(self.server(name, command, paths, ids, prepare))
    }

    /// A server that a driver knows how to prepare. It is prepared before each start, so that what
    /// somebody broke is mended.
    fn server(
        &self,
        name: String,
        command: UnitCommand,
        paths: &ShardPaths,
        ids: ShardIds,
        prepare: impl PrepareServer,
    ) -> Unit {
        let mut argv = vec![command.program.to_string_lossy().into_owned()];
        argv.extend(command.args);
        let mut unit = Unit::new(&name, argv, self.log(&name).path);
        unit.log = self.log(&name);
        unit.env = command.env.into_iter().collect();
        unit.umask = command.umask;
        unit.no_new_privs = true;
        unit.rlimits = vec![no_core()];
        unit.user = credentials(command.ids, Vec::new());
        unit.readiness = Readiness::unix_connect(SERVER_READY, &command.socket);
        let paths = paths.clone();
        unit.prepare = Some(Prepare {
            step: Step::new(move || {
                let (prepare, paths) = (prepare.clone(), paths.clone());
                async move {
                    tokio::task::spawn_blocking(move || prepare(&paths, &ids)).await??;
                    Ok(())
                }
            }),
            timeout: PREPARE,
        });
        unit
    }
}

/// Writes a server's configuration and says how to start it.
trait PrepareServer:
    Fn(&ShardPaths, &ShardIds) -> Result<UnitCommand, DriverError> + Clone + Send + Sync + 'static
{
}

impl<F> PrepareServer for F where
    F: Fn(&ShardPaths, &ShardIds) -> Result<UnitCommand, DriverError>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// What holds for each worker, and for each slot's user, on every machine.
fn php_limits() -> Vec<Rlimit> {
    let both = |resource, most| Rlimit { resource, soft: Some(most), hard: Some(most) };
    let mut limits = vec![no_core(), both(RlimitResource::Data, PHP_DATA_BYTES)];
    if data::is_root() {
        // Of the one user otherwise, whatever else he runs.
        limits.push(both(RlimitResource::Nproc, PHP_PROCESSES));
    }
    limits
}

/// No file of a process's memory, whatever it dies of: there are secrets in it.
fn no_core() -> Rlimit {
    Rlimit { resource: RlimitResource::Core, soft: Some(0), hard: Some(0) }
}

/// As many open files as the machine allows, up to what an edge full of visitors needs: two for
/// each of 16,384 connections, and some.
fn open_files() -> Rlimit {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let files = most.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    Rlimit { resource: RlimitResource::Nofile, soft: Some(files), hard: Some(files) }
}

/// Ready when `path` on this socket is answered. The supervisor holds the socket, so a connection
/// alone says nothing.
fn answers(socket: std::path::PathBuf, path: &'static str) -> Readiness {
    let client = Client::new(Endpoint::Unix(socket), Duration::from_secs(2));
    Readiness::probe(ROLE_READY, move || {
        let client = client.clone();
        async move {
            let request = http::Request::get(path).body(Bytes::new())?;
            client.call(request).await?;
            Ok(())
        }
    })
}

fn socket(name: &str, path: &std::path::Path, mode: u32, ids: UnixIds) -> SocketSpec {
    SocketSpec {
        name: name.to_owned(),
        address: SocketAddress::Unix {
            path: path.to_owned(),
            mode,
            owner: owner((ids.uid, ids.gid)),
        },
        backlog: 4096,
    }
}

fn owner(ids: (u32, u32)) -> Option<(u32, u32)> {
    data::is_root().then_some(ids)
}

fn credentials(ids: UnixIds, groups: Vec<u32>) -> Option<Credentials> {
    data::is_root().then_some(Credentials { uid: ids.uid, gid: ids.gid, groups })
}
