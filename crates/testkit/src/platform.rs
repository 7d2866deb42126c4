//! One platform: its folder, its port, its Unix ids; started, driven and taken down.

use std::fs;
use std::fs::File;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::browser::Browser;
use crate::cli::Told;
use crate::disk;
use crate::ids::Ids;
use crate::leftovers;
use crate::processes;
use crate::processes::Process;
use crate::status;
use crate::status::Unit;
use crate::terminal::Terminal;
use crate::wait::wait_until;
use crate::wordpress::Admin;

/// Folders of tests begin so; short, because Unix sockets are below.
pub(crate) const PREFIX: &str = "aipress-e2e-";
/// File in a test's folder that its process holds locked.
pub(crate) const IN_USE: &str = "in-use";
/// Folder of the binary, in a platform's folder.
const BUILD: &str = "build";
/// Where a disk of its own is mounted, in a platform's folder; short, because Unix sockets are below.
pub(crate) const DISK: &str = "d";
/// Longest that a command may take.
const COMMAND: Duration = Duration::from_secs(180);

/// What may differ between platforms.
#[derive(Debug, Clone)]
pub struct PlatformOptions {
    /// The binary: `env!("CARGO_BIN_EXE_aipress")`.
    pub binary: PathBuf,
    /// Shards, 1 to 3.
    pub shards: u32,
    /// Whether the first site is made.
    pub hello: bool,
    /// As root: runs as another Unix user, who is nobody special.
    pub unprivileged: bool,
    /// A disk of its own of so many MiB, which [`Platform::fill_disk`] fills; takes root.
    pub disk: Option<u64>,
    /// The key of stored secrets, given to `up` by the variable; a file otherwise.
    pub master_key: Option<String>,
}

impl PlatformOptions {
    /// Two shards, no first site, this process's user.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            shards: 2,
            hello: false,
            unprivileged: false,
            disk: None,
            master_key: None,
        }
    }
}

/// A platform of real processes.
#[derive(Debug)]
pub struct Platform {
    folder: PathBuf,
    options: PlatformOptions,
    address: SocketAddr,
    user: Option<u32>,
    /// Given back when nothing runs under them any more.
    ids: Ids,
    /// Held for as long as the platform is in use: what nobody holds is a leftover. A process id
    /// would not do: a run in another PID namespace does not see it.
    _in_use: File,
}

impl Platform {
    /// Lays out a platform without starting it.
    ///
    /// # Panics
    /// When there is no place for it.
    pub fn new(options: PlatformOptions) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Between making a folder and holding it nobody may take it for a leftover.
        let turn = File::create(format!("/tmp/{PREFIX}turn")).expect("a file to lock");
        turn.lock().expect("a turn");
        leftovers::remove();
        let (pid, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(format!("/tmp/{PREFIX}{pid}-{count}"));
        let ids = Ids::take();
        let uid_base = ids.range().start;
        let user = (options.unprivileged && is_root()).then_some(uid_base);
        for dir in ["", "faults", "home"] {
            let dir = folder.join(dir);
            fs::create_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&dir, open).expect("open a folder");
            std::os::unix::fs::chown(&dir, user, user).expect("hand over a folder");
        }
        let in_use = File::create(folder.join(IN_USE)).expect("a file to hold");
        in_use.try_lock().expect("a folder of one's own");
        drop(turn);
        // A build while the platform runs must not change it; a role that comes back would be new.
        // Its folder is closed to other users, as `/root` is where many people build.
        let build = folder.join(BUILD);
        fs::create_dir(&build).expect("a folder");
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&build, closed).expect("close a folder");
        std::os::unix::fs::chown(&build, user, user).expect("hand over a folder");
        let binary = build.join("aipress");
        fs::hard_link(&options.binary, &binary)
            .or_else(|_| fs::copy(&options.binary, &binary).map(drop))
            .expect("the binary");
        if let Some(mib) = options.disk {
            disk::mount(&folder, &folder.join(DISK), mib);
        }
        Self { folder, address: free_port(pid), user, options, ids, _in_use: in_use }
    }

    /// Starts a platform and waits until all of it is up.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(options: PlatformOptions) -> Self {
        let platform = Self::new(options);
        platform.up().await.good();
        platform
    }

    /// `aipress up --detach`.
    pub async fn up(&self) -> Told {
        let (listen, shards) = (self.address.to_string(), self.options.shards.to_string());
        let base = self.ids.range().start.to_string();
        let mut args = vec!["up", "--detach", "--listen", &listen, "--shards", &shards];
        args.extend(["--uid-base", base.as_str()]);
        if !self.options.hello {
            args.push("--no-hello");
        }
        let key = self.options.master_key.as_deref().map(|key| ("AIPRESS_MASTER_KEY", key));
        self.cli_in(&args, key.as_slice()).await
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        match self.options.disk {
            None => self.folder.join("data"),
            Some(_) => self.folder.join(DISK).join("data"),
        }
    }

    /// Takes all space of the platform's own disk but so many KiB.
    ///
    /// # Panics
    /// When it has none.
    pub fn fill_disk(&self, but_kib: u64) {
        assert!(self.options.disk.is_some(), "this platform is on the machine's disk");
        disk::fill(&self.folder.join(DISK), but_kib);
    }

    /// Gives the space back.
    pub fn free_disk(&self) {
        disk::free(&self.folder.join(DISK));
    }

    /// A file or folder below the data folder.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.data().join(below)
    }

    /// The folder that commands have as their home.
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// `PATH` with the folder of the binary before this process's own.
    pub fn search_path(&self) -> String {
        let others = std::env::var("PATH").unwrap_or_default();
        format!("{}:{others}", self.folder.join(BUILD).display())
    }

    /// The Unix user that the platform runs as, when that is not this process's.
    pub fn user(&self) -> Option<u32> {
        self.user
    }

    /// Where the edge listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a command of the binary on this platform.
    ///
    /// # Panics
    /// When it does not end within minutes.
    pub async fn cli(&self, args: &[&str]) -> Told {
        self.cli_in(args, &[]).await
    }

    /// The same with variables.
    ///
    /// # Panics
    /// When it does not end within minutes.
    pub async fn cli_in(&self, args: &[&str], variables: &[(&str, &str)]) -> Told {
        let mut command = self.command();
        command.args(args).envs(variables.iter().copied());
        let shown = format!("aipress {}", args.join(" "));
        let run = tokio::process::Command::from(command).kill_on_drop(true).output();
        let output = tokio::time::timeout(COMMAND, run)
            .await
            .unwrap_or_else(|_| panic!("{shown}: not within {COMMAND:?}"));
        Told::new(shown, &output.expect("run the binary"))
    }

    /// Runs a command of the binary at a terminal of so many columns.
    ///
    /// # Panics
    /// When there is no terminal to be had.
    pub fn terminal(&self, columns: u16, args: &[&str]) -> Terminal {
        let mut command = self.command();
        command.args(args);
        Terminal::start(command, columns)
    }

    /// A command of the binary on this platform, without arguments, to be run otherwise.
    pub fn command(&self) -> Command {
        let binary = self.folder.join(BUILD).join("aipress");
        let mut command = match self.user {
            None => Command::new(binary),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={user}"))
                    .arg(format!("--regid={user}"))
                    .arg("--clear-groups")
                    .arg(binary)
                    .env("HOME", self.home());
                command
            }
        };
        for variable in ["AIPRESS_SERVER", "AIPRESS_TOKEN", "AIPRESS_TOKEN_FILE", "AIPRESS_CONTEXT"]
        {
            command.env_remove(variable);
        }
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .env("AIPRESS_DATA", self.data())
            // Not the settings of whoever runs the tests.
            .env("XDG_CONFIG_HOME", self.home().join(".config"))
            .env("AIPRESS_FAULT_DIR", self.folder.join("faults"));
        command
    }

    /// The units, as the supervisor sees them.
    ///
    /// # Panics
    /// When the platform is not running.
    pub async fn units(&self) -> Vec<Unit> {
        let told = self.cli(&["status", "-o", "json"]).await;
        status::units(&told.json())
    }

    /// One unit.
    ///
    /// # Panics
    /// When there is none of this name.
    pub async fn unit(&self, name: &str) -> Unit {
        let units = self.units().await;
        units.into_iter().find(|unit| unit.name == name).unwrap_or_else(|| panic!("no unit {name}"))
    }

    /// The process of a unit that runs.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn pid(&self, name: &str) -> i32 {
        self.unit(name).await.pid.unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// Waits until a unit runs in another process than `former` and is up.
    ///
    /// # Panics
    /// When it does not come back.
    pub async fn back(&self, name: &str, former: i32) -> Unit {
        wait_until(Duration::from_secs(60), &format!("{name} comes back"), async || {
            let unit = self.unit(name).await;
            let is_new = unit.ready && unit.pid.is_some_and(|pid| pid != former);
            if is_new { Ok(unit) } else { Err(format!("{unit:?}")) }
        })
        .await
    }

    /// Kills the role that gets to this point next, once (`aipress_kit::faults`).
    ///
    /// # Panics
    /// When the file can't be written.
    pub fn kill_at(&self, point: &str) {
        let path = self.folder.join("faults").join(point);
        fs::write(&path, b"").expect("name a point");
        // Roles that are not root remove it, too.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(self.folder.join("faults"), open).expect("open the folder of faults");
    }

    /// The points that roles get to in a change (`aipress_kit::faults`), each once, of those that begin
    /// so.
    ///
    /// # Panics
    /// When the file of points can't be written or read, or when there was none.
    pub async fn points_of(&self, begin: &str, change: impl Future<Output = ()>) -> Vec<String> {
        let reached = self.folder.join("faults").join("reached");
        fs::write(&reached, b"").expect("ask for points");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        fs::set_permissions(&reached, open).expect("open the file of points");
        change.await;
        let text = fs::read_to_string(&reached).expect("points");
        fs::remove_file(&reached).expect("ask for no more points");
        let mut points: Vec<String> = Vec::new();
        for point in text.lines().filter(|point| point.starts_with(begin)) {
            if !points.iter().any(|known| known == point) {
                points.push(point.to_owned());
            }
        }
        assert!(!points.is_empty(), "no point of {begin} was reached");
        points
    }

    /// Whether a point was not reached yet.
    pub fn is_armed(&self, point: &str) -> bool {
        self.folder.join("faults").join(point).exists()
    }

    /// A visitor of the site `name`.
    pub fn visitor(&self, name: &str) -> Browser {
        Browser::new(self.address, format!("{name}.localhost:{}", self.address.port()))
    }

    /// A caller of the API with the first administrator's token.
    ///
    /// # Panics
    /// When there is no token.
    pub fn api(&self) -> Browser {
        let token = fs::read_to_string(self.path("meta/admin-token")).expect("the admin token");
        self.visitor("console").with("authorization", format!("Bearer {}", token.trim()))
    }

    /// Asks for a site and returns once that is acknowledged, with the tenant's uid.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn ask_for(&self, name: &str) -> String {
        let body =
            json!({"name": name, "spec": {"wordpress": {"title": format!("Title of {name}")}}});
        let answer = self.api().json("POST", "/v1/tenants", &body).await.with_status(202);
        answer.as_json()["tenant"]["uid"].as_str().expect("uid of the tenant").to_owned()
    }

    /// Makes a site and gives its uid.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn create(&self, name: &str) -> String {
        let title = format!("Title of {name}");
        self.cli(&["tenant", "create", name, "--title", &title]).await.good();
        self.tenant(name).await["uid"].as_str().expect("uid").to_owned()
    }

    /// A site as the API shows it; null when there is none.
    pub async fn tenant(&self, name: &str) -> Value {
        let answer = self.api().get(&format!("/v1/tenants/{name}")).await;
        if answer.status == 404 { Value::Null } else { answer.with_status(200).as_json() }
    }

    /// Waits until a site is in this state.
    ///
    /// # Panics
    /// When it does not get there.
    pub async fn reaches(&self, name: &str, state: &str) -> Value {
        wait_until(Duration::from_secs(60), &format!("{name} is {state}"), async || {
            // Meta may be what was killed.
            let path = format!("/v1/tenants/{name}");
            let answer = self.api().send("GET", &path, &[], "").await.map_err(|e| e.to_string())?;
            if answer.status != 200 {
                return Err(format!("{}: {}", answer.status, answer.text()));
            }
            let tenant = answer.as_json();
            if tenant["state"] == state { Ok(tenant) } else { Err(tenant.to_string()) }
        })
        .await
    }

    /// Somebody signed in to the wp-admin of a site.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn admin(&self, name: &str) -> Admin {
        let link = self.cli(&["tenant", "login", name]).await.good().url("aipress_login=");
        Admin::sign_in(self.visitor(name), &link).await
    }

    /// Everything that exists has a row that explains it, and the other way round.
    ///
    /// # Panics
    /// With what has none.
    pub async fn has_clean_inventory(&self) {
        wait_until(Duration::from_secs(60), "a clean inventory", async || {
            let told = self.cli(&["doctor", "--inventory"]).await;
            if told.code == 0 {
                return Ok(());
            }
            let wrong: Vec<&str> = told.out.lines().filter(|l| l.contains("ERROR")).collect();
            Err(format!("{}\n{}", wrong.join("\n"), told.err))
        })
        .await;
    }

    /// The processes of this platform, the supervisor included.
    pub fn processes(&self) -> Vec<Process> {
        processes::of_platform(&self.folder, &self.ids.range())
    }

    /// Takes the platform down.
    ///
    /// # Panics
    /// When a process is left.
    pub async fn down(&self) {
        self.cli(&["down"]).await.good();
        assert_eq!(self.processes(), [], "processes are left after down");
    }
}

/// An address that nobody listens at: below the ports that the kernel gives to connections, any of
/// which could take it before the platform does. Processes begin at different ones.
fn free_port(seed: u32) -> SocketAddr {
    const PORTS: std::ops::Range<u32> = 12_000..32_000;
    static LAST: AtomicU32 = AtomicU32::new(0);
    let many = PORTS.end - PORTS.start;
    loop {
        let step = LAST.fetch_add(1, Ordering::Relaxed);
        assert!(step < many, "no port is free");
        let port = PORTS.start + (seed.wrapping_mul(97) + step) % many;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("a port")));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Drop for Platform {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed && std::env::var_os("AIPRESS_E2E_KEEP").is_some() {
            eprintln!("kept: AIPRESS_DATA={} is still running", self.data().display());
            return;
        }
        let down = self.command().arg("down").stdin(Stdio::null()).output();
        let left = self.processes();
        leftovers::end_all(|| self.processes());
        if failed || !left.is_empty() {
            show_logs(&self.path("logs"));
        }
        disk::unmount(&self.folder, &self.folder.join(DISK));
        let _ = fs::remove_dir_all(&self.folder);
        assert!(failed || left.is_empty(), "processes were left after {down:?}: {left:?}");
    }
}

/// The last warnings of a failed platform, for whoever reads the test's output.
fn show_logs(logs: &Path) {
    for entry in fs::read_dir(logs).into_iter().flatten().flatten() {
        let text = fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let loud = |line: &&str| {
            line.contains("WARN") || line.contains("ERROR") || line.contains("panicked")
        };
        let lines: Vec<&str> = text.lines().filter(loud).collect();
        for line in &lines[lines.len().saturating_sub(5)..] {
            let line: String = line.chars().take(300).collect();
            eprintln!("{}: {line}", entry.file_name().display());
        }
    }
}
