//! A site of the platform, looked at from beside: what a peer needs to serve the same.

use std::path::Path;
use std::path::PathBuf;

use aipress_api::tenant::TenantView;
use anyhow::Context;
use serde::Deserialize;

use super::Database;
use super::DatabaseName;
use crate::platform::Platform;
use crate::platform::run_quiet;

/// The site.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) slot: u32,
    pub(crate) shard_dir: PathBuf,
    pub(crate) core_dir: PathBuf,
    /// The php-fpm that the platform runs.
    pub(crate) fpm_binary: PathBuf,
    /// The platform's port.
    pub(crate) port: u16,
    uid: String,
    config: SiteJson,
    php_dir: PathBuf,
}

/// The part of `site.json` that matters here.
#[derive(Debug, Clone, Deserialize)]
struct SiteJson {
    core_dir: PathBuf,
    db: DatabaseJson,
}

#[derive(Debug, Clone, Deserialize)]
struct DatabaseJson {
    socket: PathBuf,
    name: String,
    user: String,
    password: String,
}

/// `admin.json` of a shard's MariaDB.
#[derive(Deserialize)]
pub(crate) struct Admin {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Site {
    /// Looks at a site that is served.
    pub(crate) async fn look(platform: &Platform, tenant: &TenantView) -> anyhow::Result<Self> {
        let shard = tenant.shard.clone().context("the site has no shard")?;
        let slot = tenant.slot.context("the site has no slot")?;
        let shard_dir = platform.data().join("shards").join(&shard);
        let path = shard_dir.join(format!("slots/{slot:02}/site.json"));
        let config: SiteJson = read_json(&path)?;
        let fpm = format!("{shard}-php-fpm");
        let units = platform.snapshot().await?.units;
        let pid = units.iter().find(|unit| unit.name == fpm).and_then(|unit| unit.pid);
        let exe = format!("/proc/{}/exe", pid.with_context(|| format!("{fpm} does not run"))?);
        let php_dir = std::fs::read_dir(platform.data().join("php"))?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.join("prepend.php").is_file())
            .context("the platform's php folder")?;
        Ok(Self {
            slot,
            core_dir: config.core_dir.clone(),
            shard_dir,
            fpm_binary: std::fs::read_link(exe)?,
            port: platform.address.port(),
            uid: tenant.uid.to_string(),
            config,
            php_dir,
        })
    }

    /// What the gateway tells PHP beside the ordinary CGI set.
    pub(super) fn fastcgi_params(&self) -> Vec<(String, String)> {
        let slot_dir = self.shard_dir.join(format!("slots/{:02}", self.slot));
        vec![
            ("AIPRESS_TENANT_UID".to_owned(), self.uid.clone()),
            ("AIPRESS_SLOT_DIR".to_owned(), slot_dir.display().to_string()),
            ("AIPRESS_PHP_DIR".to_owned(), self.php_dir.display().to_string()),
        ]
    }

    /// The site's own database.
    pub(crate) fn database(&self) -> Database {
        let db = &self.config.db;
        Database {
            socket: db.socket.clone(),
            user: db.user.clone(),
            password: db.password.clone(),
            name: DatabaseName::Is(db.name.clone()),
        }
    }

    /// Runs SQL as the administrator of the shard's server.
    pub(crate) async fn sql(&self, statements: &str) -> anyhow::Result<String> {
        let mut command = self.client("mariadb")?;
        command.args(["--batch", "--skip-column-names", "--execute", statements]);
        run_quiet(command).await.context("run SQL on the shard's server")
    }

    /// A client of the shard's server, as its administrator.
    pub(crate) fn client(&self, program: &str) -> anyhow::Result<std::process::Command> {
        let admin = self.admin()?;
        let mut command = std::process::Command::new(program);
        command
            .arg("--no-defaults")
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--user={}", admin.user))
            .env("MYSQL_PWD", &admin.password);
        Ok(command)
    }

    /// The administrator of the shard's server.
    pub(crate) fn admin(&self) -> anyhow::Result<Admin> {
        read_json(&self.shard_dir.join("mariadb/admin.json"))
    }

    /// The server's socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.config.db.socket
    }

    /// Name of the site's database.
    pub(crate) fn database_name(&self) -> &str {
        &self.config.db.name
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("understand {}", path.display()))
}
