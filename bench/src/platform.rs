//! The real platform, started from the binary as a user would, on a data folder and a port of its
//! own, and stopped by `down`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use aipress_api::client::ApiClient;
use aipress_api::operation::OperationState;
use aipress_api::operation::OperationView;
use aipress_api::tenant::TenantCreate;
use aipress_api::tenant::TenantView;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_supervise::Snapshot;
use aipress_supervise::control;
use aipress_types::TenantSpec;
use aipress_types::Tier;
use anyhow::Context;
use anyhow::bail;

use crate::args::Options;
use crate::client::Target;
use crate::cores::Cores;
use crate::processes;

/// One call of the API.
const CALL: Duration = Duration::from_secs(30);
/// One operation, from its acceptance to its end.
const OPERATION: Duration = Duration::from_secs(120);

/// The running platform. Dropped, it is stopped.
pub(crate) struct Platform {
    binary: PathBuf,
    data: PathBuf,
    /// Where the edge listens.
    pub(crate) address: SocketAddr,
    pub(crate) api: ApiClient,
    /// The first administrator's.
    pub(crate) token: String,
}

impl Platform {
    /// Starts it with two shards and no site, and waits until everything is up.
    pub(crate) async fn start(
        options: &Options,
        cores: Cores,
        scratch: &Path,
    ) -> anyhow::Result<Self> {
        Self::start_with(options, cores, scratch, &[], 2).await
    }

    /// The same with settings that are not their defaults, and as many shards as are wanted.
    pub(crate) async fn start_with(
        options: &Options,
        cores: Cores,
        scratch: &Path,
        settings: &[(&str, &str)],
        shards: usize,
    ) -> anyhow::Result<Self> {
        let data = scratch.join("data");
        let address = free_address()?;
        let binary = options
            .aipress
            .canonicalize()
            .with_context(|| format!("{}: build it first", options.aipress.display()))?;
        let is_root = rustix::process::geteuid().is_root();
        let uid_base = options.uid_base.to_string();
        // A platform that has settings is one that has its users, too.
        let users = (is_root && !settings.is_empty()).then_some(("uidBase", uid_base.as_str()));
        for (key, value) in users.iter().chain(settings) {
            let mut command = Command::new(&binary);
            command.arg("--data").arg(&data).args(["settings", "set", key, value]);
            run_quiet(command).await.context("set a setting")?;
        }
        let mut command = cores.command(&binary);
        command
            .arg("--data")
            .arg(&data)
            .args(["up", "--detach", "--no-hello", "--shards", &shards.to_string(), "--listen"])
            .arg(address.to_string());
        if is_root && users.is_none() {
            command.arg("--uid-base").arg(&uid_base);
        }
        // Made first: whatever starts is stopped, also when not all of it starts.
        let api = client(address, None);
        let mut platform = Self { binary, data, address, api, token: String::new() };
        eprintln!("  starting the platform on {address}");
        run_quiet(command).await.context("start the platform")?;
        let token_file = platform.data.join("meta/admin-token");
        let token = std::fs::read_to_string(&token_file)
            .with_context(|| format!("read {}", token_file.display()))?;
        platform.token = token.trim().to_owned();
        platform.api = client(address, Some(platform.token.clone()));
        Ok(platform)
    }

    /// A command of the binary on this platform, as a user types it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--data").arg(&self.data);
        command
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The host of a site, as a browser sends it.
    pub(crate) fn host(&self, name: &str) -> String {
        format!("{name}.localhost:{}", self.address.port())
    }

    /// The home page of a site whose title is its name.
    pub(crate) fn home_page(&self, name: &str) -> Target {
        Target {
            address: self.address,
            host: self.host(name),
            path: "/".to_owned(),
            mark: format!("<title>{name}"),
        }
    }

    /// The units and their processes.
    pub(crate) async fn snapshot(&self) -> anyhow::Result<Snapshot> {
        Ok(control::status(&self.data.join("run"), CALL).await?)
    }

    /// CPU time by kind of unit (`edge`, `gateway`, `php-fpm` …), in seconds.
    pub(crate) async fn cpu_s(&self) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut by_kind = BTreeMap::new();
        for unit in self.snapshot().await?.units {
            let Some(pid) = unit.pid else { continue };
            *by_kind.entry(kind(&unit.name)).or_default() += processes::cpu_s(pid)?;
        }
        Ok(by_kind)
    }

    /// Asks for a site and waits for the end of its operation.
    pub(crate) async fn create(&self, name: &str, tier: Tier) -> anyhow::Result<TenantView> {
        let spec = TenantSpec { tier, ..TenantSpec::default() };
        let body = TenantCreate { name: name.to_owned(), spec, ..TenantCreate::default() };
        let accepted = self.api.tenant_create(&body).await?;
        self.finish(&accepted.operation).await?;
        Ok(self.api.tenant_fetch(name).await?)
    }

    /// Deletes a site and waits until its slot is free.
    pub(crate) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let accepted = self.api.tenant_delete(name).await?;
        self.finish(&accepted.operation).await
    }

    /// Follows an operation by its server-sent events to its good end.
    pub(crate) async fn finish(&self, operation: &OperationView) -> anyhow::Result<()> {
        let follow = async {
            let mut last = operation.clone();
            let mut events = self.api.operation_events(&operation.id.to_string());
            while !last.state.is_final() {
                match events.next().await? {
                    Some(event) => last = event.operation,
                    None => last = self.api.operation_fetch(&operation.id.to_string()).await?,
                }
            }
            if last.state == OperationState::Succeeded {
                return Ok(());
            }
            bail!("{} of {} ended as {:?}", last.kind, last.tenant_name, last.error)
        };
        tokio::time::timeout(OPERATION, follow)
            .await
            .with_context(|| format!("{} of {}", operation.kind, operation.tenant_name))?
    }

    /// Waits until the platform's processes spend next to no CPU for `quiet`.
    pub(crate) async fn settle(&self, quiet: Duration, limit: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + limit;
        let supervisor = self.snapshot().await?.pid;
        loop {
            let before = processes::cpu_s(supervisor)?;
            tokio::time::sleep(quiet).await;
            let spent = processes::cpu_s(supervisor)? - before;
            // 3 % of a core: health checks and timers go on.
            if spent <= 0.03 * quiet.as_secs_f64() + 0.01 {
                return Ok(true);
            }
            if Instant::now() > deadline {
                return Ok(false);
            }
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let mut command = Command::new(&self.binary);
        command.arg("--data").arg(&self.data).arg("down");
        match command.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => eprintln!(
                "the platform in {} did not stop: {}",
                self.data.display(),
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(error) => eprintln!("could not stop the platform: {error}"),
        }
    }
}

/// `aipress-shard-001-mariadb` is a `mariadb`, `aipress-shard-001` a `shard`, `meta` itself.
pub(crate) fn kind(unit: &str) -> String {
    match unit.strip_prefix("aipress-shard-") {
        Some(rest) => rest.split_once('-').map_or("shard", |(_, kind)| kind).to_owned(),
        None => unit.to_owned(),
    }
}

fn client(address: SocketAddr, token: Option<String>) -> ApiClient {
    let host = format!("console.localhost:{}", address.port());
    let http = Client::new(Endpoint::Tcp(host.clone()), CALL).dialing(address.to_string());
    ApiClient::new(http, host, token)
}

/// An address that nobody listens on now.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}

/// Runs a command to its end, and shows what it said when it fails.
pub(crate) async fn run_quiet(command: Command) -> anyhow::Result<String> {
    let shown = format!("{command:?}");
    let output = tokio::process::Command::from(command)
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("run {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn units_are_told_by_kind() {
        let kinds = ["aipress-shard-001", "aipress-shard-001-php-fpm", "edge"].map(super::kind);
        assert_eq!(kinds, ["shard", "php-fpm", "edge"]);
    }
}
