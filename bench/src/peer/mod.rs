//! The named peer: Debian's nginx and php-fpm, started in a folder of this run, ended by their
//! process ids.

mod fpm;
mod nginx;
mod server;
mod site;
mod wordpress;

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

pub(crate) use site::Site;

use self::server::Server;
use crate::cores::Cores;
use crate::platform;

/// Which database a plain WordPress uses.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) socket: PathBuf,
    pub(crate) user: String,
    pub(crate) password: String,
    /// Its name, or the file that holds it now.
    pub(crate) name: DatabaseName,
}

/// How a plain WordPress knows its database's name.
#[derive(Debug, Clone)]
pub(crate) enum DatabaseName {
    Is(String),
    InFile(PathBuf),
}

/// nginx and php-fpm, running. Dropped, they end.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// php-fpm's master and nginx's.
    pub(crate) fpm: Server,
    pub(crate) nginx: Server,
}

impl Peer {
    /// The site itself behind nginx: a pool of its own with the very settings of the site's pool
    /// (php.ini, `open_basedir`, Unix user, what runs inside WordPress, object cache), the same
    /// core, database and Redis.
    pub(crate) async fn same(
        site: &Site,
        workers: u32,
        cores: Cores,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let dir = prepare(dir, "same")?;
        let settings = fpm::same_settings(site, workers, &dir)?;
        let params = nginx::Params {
            root: site.core_dir.clone(),
            server_port: Some(site.port),
            extra: site.fastcgi_params(),
        };
        Self::start(&site.fpm_binary, settings, params, cores, &dir).await
    }

    /// Plain WordPress: a copy of the core with a `wp-config.php` of its own, the distribution's
    /// php.ini, no object cache, no `open_basedir`.
    pub(crate) async fn stock(
        site: &Site,
        database: &Database,
        workers: u32,
        cores: Cores,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let dir = prepare(dir, "stock")?;
        let root = wordpress::install_files(&site.core_dir, database, &dir).await?;
        let settings = fpm::stock_settings(workers, &dir)?;
        let params = nginx::Params { root, server_port: None, extra: Vec::new() };
        Self::start(&site.fpm_binary, settings, params, cores, &dir).await
    }

    async fn start(
        fpm_binary: &Path,
        settings: fpm::Settings,
        params: nginx::Params,
        cores: Cores,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let address = platform::free_address()?;
        let fpm = fpm::start(fpm_binary, &settings, cores, dir).await?;
        let nginx = nginx::start(address, &settings.socket, &params, cores, dir).await?;
        Ok(Self { address, fpm, nginx })
    }
}

fn prepare(dir: &Path, what: &str) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let dir = dir.join(what);
    std::fs::create_dir(&dir)?;
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755))?;
    Ok(dir)
}
